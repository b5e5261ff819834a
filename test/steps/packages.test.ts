import { expect, test } from 'vitest';
import { Secret } from '../../src/core/secret.ts';
import type { Host } from '../../src/core/types.ts';
import { debian } from '../../src/platforms/debian.ts';
import type { Platform } from '../../src/platforms/platform.ts';
import { redhat } from '../../src/platforms/redhat.ts';
import type { PackageManager } from '../../src/resources/packages.ts';
import { docker as dockerStep } from '../../src/steps/docker.ts';
import { packages, wantedPackages } from '../../src/steps/packages.ts';
import { type Credentials, credentialsOf } from '../../src/token/credentials.ts';
import { parseToken } from '../../src/token/format.ts';
import { fixtureHost } from '../support/fixture-host.ts';
import { clientNode, type TargetDescription, targetOn } from '../support/target.ts';
import { testServerToken } from '../token/vectors.ts';

const docker = { source: 'distro', packages: [{ name: 'docker.io' }] } as const;

async function wantedBy(
  platform: Platform,
  description: TargetDescription,
  credentials?: Credentials,
): Promise<readonly string[]> {
  const target = await targetOn('debian-12', description);
  return wantedPackages({ ...target, platform, ...(credentials ? { credentials } : {}) }).map(
    ({ name, version }) => `${name}${version ? ` ${version}` : ''}`,
  );
}

test('a server gets the two agents at their exact versions, and nothing for containers', async () => {
  expect(await wantedBy(debian, {})).toEqual(['nomad 2.0.5-1', 'consul 2.0.3-1']);
});

test('a server with a token gets iptables for its metadata shield', async () => {
  const credentials = await credentialsOf(parseToken(new Secret(testServerToken)));
  expect(await wantedBy(debian, {}, credentials)).toEqual(['nomad 2.0.5-1', 'consul 2.0.3-1', 'iptables']);
  expect(await wantedBy(redhat, {}, credentials)).toContain('iptables-nft');
});

test('a client and an image also get Docker and what bridge networking needs', async () => {
  const wanted = ['nomad 2.0.5-1', 'consul 2.0.3-1', 'iptables', 'docker.io'];
  expect(await wantedBy(debian, { node: clientNode, resolution: { docker } })).toEqual(wanted);
  expect(await wantedBy(debian, { node: undefined, resolution: { docker } })).toEqual(wanted);
});

test('a Docker that is already there, or is refused, brings no package', async () => {
  for (const source of ['present', 'none'] as const) {
    expect(await wantedBy(debian, { node: clientNode, resolution: { docker: { source } } })).not.toContain('docker.io');
  }
});

test('apt holds the agents by a change of its own, dnf by its source file', async () => {
  const target = await targetOn('debian-12');
  const ids = (platform: Platform) => packages.resources({ ...target, platform }).map(({ id }) => id);
  expect(ids(debian)).toEqual(['packages:apt', 'package-hold:nomad,consul']);
  expect(ids(redhat)).toEqual(['packages:dnf']);
});

test("an agent's new version comes only after autopilot agreed and its state was saved, and is judged before it runs", async () => {
  const order: string[] = [];
  const installed = new Map([
    ['nomad', '2.0.4-1'],
    ['consul', '2.0.3-1'],
  ]);
  const manager: PackageManager = {
    ...debian.packages,
    installed: async () => installed,
    present: async (_host, names) => names,
    all: async () => [],
    async exchange(_host, wanted) {
      order.push(`exchange ${wanted.map(({ name, version }) => `${name} ${version}`).join(' ')}`);
      installed.set('nomad', '2.0.5-1');
    },
  };
  const target = await targetOn('debian-12', { platform: { ...debian, packages: manager } });
  const described = fixtureHost({
    requests: {
      'GET http://127.0.0.1:4646/v1/status/peers': () => {
        order.push('ask autopilot');
        return { body: '["10.20.0.11:4647"]' };
      },
    },
    commands: {
      'systemctl show --property=LoadState,UnitFileState,ActiveState,SubState,Result,NRestarts nomad.service': {
        stdout: 'ActiveState=active\n',
      },
    },
  });
  const host: Host = {
    ...described,
    run: async argv => {
      order.push(argv.slice(0, 3).join(' '));
      if (argv.includes('save')) await described.writeFile(argv.at(-1) ?? '', 'x', { mode: 0o600, owner: 'root:root' });
      return { exitCode: 0, stdout: '', stderr: '' };
    },
  };

  const change = await packages.resources(target)[0]?.plan(host, new Set());
  await change?.apply(host);

  expect(change?.summary).toBe('save the state of nomad, install nomad 2.0.5-1');
  expect(order).toEqual([
    'ask autopilot',
    // By their paths: another installation may come first on the PATH.
    '/usr/bin/nomad operator snapshot',
    'exchange nomad 2.0.5-1',
    '/usr/bin/nomad config validate',
  ]);
});

test('Docker runs where jobs run and it is not refused', async () => {
  const applies = async (description: TargetDescription) =>
    dockerStep.appliesTo?.(await targetOn('debian-12', description));
  expect(await applies({ node: clientNode, resolution: { docker } })).toBe(true);
  expect(await applies({ node: clientNode, resolution: { docker: { source: 'present' } } })).toBe(true);
  expect(await applies({ node: clientNode, resolution: { docker: { source: 'none' } } })).toBe(false);
  expect(await applies({})).toBe(false);
});

test('an image enables nothing of Docker, and leaves a Docker alone that was there before', async () => {
  const ids = async (resolution: TargetDescription['resolution']) => {
    const target = await targetOn('debian-12', { node: undefined, ...(resolution ? { resolution } : {}) });
    return Promise.all(
      dockerStep
        .resources(target)
        .map(async resource => [resource.id, (await resource.plan(running, new Set()))?.summary]),
    );
  };
  const running = fixtureHost({
    files: { '/var/lib/docker/engine-id': '0306768a-0000-0000-0000-000000000000' },
    commands: Object.fromEntries(
      ['docker.socket', 'docker.service', 'containerd.service'].map(unit => [
        `systemctl show --property=LoadState,UnitFileState,ActiveState,SubState,Result,NRestarts ${unit}`,
        { stdout: 'LoadState=loaded\nUnitFileState=enabled\nActiveState=active\n' },
      ]),
    ),
  });

  expect(await ids({ docker })).toEqual([
    ['service:docker.socket', 'disable and stop docker.socket'],
    ['service:docker', 'disable and stop docker.service'],
    ['service:containerd', 'disable and stop containerd.service'],
    ['file:/var/lib/docker/engine-id', 'remove /var/lib/docker/engine-id, of which each machine makes its own'],
  ]);
  expect(await ids({ docker: { source: 'present' } })).toEqual([]);
});
