import { describe, expect, test } from 'vitest';
import { forming } from '../../src/checks/forming.ts';
import { healthChecks } from '../../src/checks/index.ts';
import { runChecks } from '../../src/core/run-checks.ts';
import { answerOf, consulUrl, describedClient, describedServer, idsByStatus, json, nomadUrl } from './node.ts';

describe('the list', () => {
  test('has unique ids that are fit for a command line, and titles without a full stop', () => {
    const ids = healthChecks.map(({ id }) => id);

    expect(new Set(ids).size).toBe(ids.length);
    for (const { id, title } of healthChecks) {
      expect(id).toMatch(/^[a-z]+(-[a-z]+)*$/);
      expect(title).toMatch(/^[A-Z].*[^.]$/);
    }
  });

  test('has each check after those that it needs', () => {
    const before: string[] = [];
    for (const { id, needs = [] } of healthChecks) {
      expect(before).toEqual(expect.arrayContaining([...needs]));
      before.push(id);
    }
  });

  test('has every id that is promised', () => {
    expect(healthChecks.map(({ id }) => id)).toEqual(
      expect.arrayContaining(
        `os-supported kernel-bridge bridge-sysctls sysctls-persist cgroups time-sync packages-held cni-plugins docker consul-agent
        consul-leader consul-members consul-servers nomad-agent nomad-leader nomad-members nomad-autopilot nomad-client-ready
        nomad-client-drivers nomad-client-bridge nomad-advertise nomad-in-consul versions-agree ports-exposed boot-enabled
        certificates tls-roles gossip-encryption acls workload-identity secrets-permissions metadata-shielded`.split(
          /\s+/,
        ),
      ),
    );
  });
});

const clientsOnly = [
  'kernel-bridge',
  'bridge-sysctls',
  'sysctls-persist',
  'cgroups',
  'cni-plugins',
  'docker',
  'nomad-client-ready',
  'nomad-client-drivers',
  'nomad-client-bridge',
];

describe('what fails together, by the answers of real agents', () => {
  test('nothing on a server of a healthy cluster', async () => {
    const { fail, warn, skip } = await idsByStatus(describedServer('three-servers'));

    expect({ fail, warn, skip }).toEqual({ fail: [], warn: [], skip: clientsOnly });
  });

  test('nothing on its client, whose check in Consul has not been made yet', async () => {
    const { fail, warn, skip } = await idsByStatus(describedClient());

    expect({ fail, warn, skip }).toEqual({
      fail: [],
      warn: ['nomad-in-consul'],
      skip: ['docker', 'consul-autopilot', 'nomad-autopilot'],
    });
  });

  test('what a killed server takes with it, before gossip in Nomad has noticed', async () => {
    const { fail, warn } = await idsByStatus(describedServer('server-failed'));

    expect({ fail, warn }).toEqual({ fail: ['consul-servers', 'consul-autopilot', 'nomad-autopilot'], warn: [] });
  });

  test('what a killed server takes with it for good', async () => {
    const { fail, warn } = await idsByStatus(describedServer('server-gone'));

    expect({ fail, warn }).toEqual({
      fail: ['consul-servers', 'consul-autopilot', 'nomad-members', 'nomad-autopilot'],
      warn: [],
    });
  });

  test('the leaders and all that needs them, when the majority is lost', async () => {
    const { fail, skip } = await idsByStatus(describedServer('majority-lost'));

    expect(fail).toEqual(['consul-leader', 'consul-members', 'consul-servers', 'nomad-leader', 'nomad-members']);
    expect(skip).toEqual(expect.arrayContaining(['consul-autopilot', 'nomad-autopilot', 'nomad-in-consul']));
  });

  test('the agents and all that needs them, when neither answers', async () => {
    const { fail, skip } = await idsByStatus(
      describedServer('three-servers', {
        requests: {
          [`GET ${nomadUrl}/v1/agent/self`]: 'unreachable',
          [`GET ${consulUrl}/v1/agent/members`]: 'unreachable',
        },
        commands: {
          'systemctl show --property=LoadState,UnitFileState,ActiveState,SubState,Result,NRestarts nomad.service': {
            stdout: 'LoadState=loaded\nActiveState=failed\nSubState=failed\nResult=exit-code\nNRestarts=5\n',
          },
          'systemctl show --property=LoadState,UnitFileState,ActiveState,SubState,Result,NRestarts consul.service': {
            stdout: 'LoadState=not-found\nActiveState=inactive\nSubState=dead\nResult=success\nNRestarts=0\n',
          },
        },
      }),
    );

    expect(fail).toEqual(['consul-agent', 'nomad-agent']);
    expect(skip?.filter(id => !clientsOnly.includes(id))).toEqual([
      'consul-leader',
      'consul-members',
      'consul-servers',
      'consul-autopilot',
      'nomad-advertise',
      'nomad-leader',
      'nomad-members',
      'nomad-autopilot',
      'nomad-in-consul',
      'versions-agree',
    ]);
  });

  test('a healthy server costs two processes and eight requests', async () => {
    const { host, target } = await describedServer('three-servers');
    await runChecks(healthChecks, host, target);

    expect(host.queries).toHaveLength(2);
    expect(host.gets).toHaveLength(8);
  });
});

describe('a forming cluster', () => {
  async function formingOf(described: ReturnType<typeof describedServer>): Promise<unknown> {
    const { host, target } = await described;
    const results = await runChecks(healthChecks, host, target, { confirm: false });
    return forming(host, target, healthChecks, results);
  }

  const noPeers = {
    [`GET ${consulUrl}/v1/status/peers?stale`]: json([]),
    [`GET ${nomadUrl}/v1/status/peers?stale`]: json([]),
  };

  test('is one whose servers have never all been there, and only that fails', async () => {
    expect(await formingOf(describedServer('forming', { requests: noPeers }))).toEqual({ alive: 1, expected: 3 });
  });

  /** The three servers, as they are once each of them expects five. */
  function grown(expects: readonly [string, string, string] = ['5', '5', '5']) {
    const nomadMembers = `${nomadUrl}/v1/agent/members`;
    const consulMembers = `${consulUrl}/v1/agent/members`;
    const inNomad = answerOf('three-servers', nomadMembers);
    const inConsul = answerOf('three-servers', consulMembers);
    for (const members of [inNomad.Members, inConsul]) {
      for (const [index, member] of members.entries()) member.Tags.expect = expects[index];
    }
    const peers = ['127.0.1.11', '127.0.1.12', '127.0.1.13'];
    return {
      [`GET ${nomadMembers}`]: json(inNomad),
      [`GET ${consulMembers}`]: json(inConsul),
      [`GET ${nomadUrl}/v1/status/peers?stale`]: json(peers),
      [`GET ${consulUrl}/v1/status/peers?stale`]: json(peers),
    };
  }

  test('is also one that is to have more servers than it ever had', async () => {
    const described = describedServer('three-servers', { node: { expect: 5 }, requests: grown() });

    expect(await formingOf(described)).toEqual({ alive: 3, expected: 5 });
  });

  test('is also one whose first servers were told of fewer: nothing has to be changed on them', async () => {
    const described = describedServer('three-servers', { node: { expect: 5 }, requests: grown(['5', '3', '5']) });

    expect(await formingOf(described)).toEqual({ alive: 3, expected: 5 });
  });

  test('is not one that has another peer than those that are there', async () => {
    const peers = json(['127.0.1.11', '127.0.1.12', '127.0.1.13', '127.0.1.14']);
    const requests = { ...grown(), [`GET ${consulUrl}/v1/status/peers?stale`]: peers };

    expect(await formingOf(describedServer('three-servers', { node: { expect: 5 }, requests }))).toBeUndefined();
  });

  test('is not one that grows and has no leader', async () => {
    const requests = { ...grown(), [`GET ${consulUrl}/v1/status/leader`]: json('') };

    expect(await formingOf(describedServer('three-servers', { node: { expect: 5 }, requests }))).toBeUndefined();
  });

  test('is not one that lost servers, because it still knows its peers', async () => {
    const peers = json(['127.0.1.11:8300', '127.0.1.13:8300']);

    expect(
      await formingOf(
        describedServer('majority-lost', { requests: { [`GET ${consulUrl}/v1/status/peers?stale`]: peers } }),
      ),
    ).toBeUndefined();
  });

  test('is not one where this node has a fault of its own', async () => {
    const described = describedServer('forming', {
      requests: noPeers,
      commands: { 'systemctl is-enabled consul.service nomad.service': { stdout: 'enabled\ndisabled\n' } },
    });

    expect(await formingOf(described)).toBeUndefined();
  });

  test('is not a healthy one', async () => {
    expect(await formingOf(describedServer('three-servers'))).toBeUndefined();
  });

  test('is told on a client by what the servers expect', async () => {
    const [self, server] = answerOf('forming', `${consulUrl}/v1/agent/members`).concat(
      answerOf('client', `${consulUrl}/v1/agent/members`)[0],
    );
    const described = describedClient({
      requests: {
        ...noPeers,
        [`GET ${consulUrl}/v1/agent/members`]: json([self, server]),
        [`GET ${consulUrl}/v1/status/leader`]: json(''),
        [`GET ${nomadUrl}/v1/status/leader?stale`]: json(''),
        [`GET ${nomadUrl}/v1/agent/members`]: json(answerOf('forming', `${nomadUrl}/v1/agent/members`)),
      },
    });

    expect(await formingOf(described)).toEqual({ alive: 1, expected: 3 });
  });
});
