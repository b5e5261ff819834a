import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bootstrap, ending, eventsNamed, failure, freshNode, madeTrue, planned } from '../cluster/bootstrap.ts';
import { type Lab, type LabNode, openLab, waitFor, whyNoLab } from '../lab/lab.ts';

const reason = whyNoLab();
if (reason !== undefined) process.stderr.write(`skipped: test/platforms/packages.lab.test.ts: ${reason}\n`);

const apt = 'apt.releases.hashicorp.com';
const image = ['image', '--docker', 'none'];

describe.skipIf(reason !== undefined)('packages on real nodes', () => {
  let lab: Lab;
  let flags: readonly string[];

  beforeAll(async () => {
    lab = await openLab();
    flags = lab.mirror.offer.flags;
  });
  afterAll(() => lab.close());

  const version = async (node: LabNode, name: string) =>
    (await node.exec(['dpkg-query', '-W', '-f', '$' + '{Version}', name], { check: false })).stdout;

  /** Waits until a shell command succeeds on the node. */
  const holds = (node: LabNode, condition: string) =>
    waitFor(condition, async () => {
      const { exitCode } = await node.exec(['sh', '-c', condition], { check: false });
      return exitCode === 0 ? true : undefined;
    });

  test('a key that is not accepted stops the run before anything was changed, and is named', async () => {
    const node = await freshNode(lab, { name: 'keys', system: 'debian12' });
    const repair = await lab.mirror.break({ kind: 'wrong-key' });
    const before = await node.snapshotTree(['/etc', '/usr', '/var/lib']);

    const run = await bootstrap(node, [...image, ...flags]);

    expect(run.exitCode).toBe(1);
    expect(failure(run)).toMatchObject({ code: 'key-not-accepted' });
    expect(eventsNamed(run, 'change-started')).toEqual([]);
    expect(await node.snapshotTree(['/etc', '/usr', '/var/lib'])).toEqual(before);
    await repair();
  });

  test('upstreams that fail for a while, or break off, delay a run and do not end it', async () => {
    const node = await freshNode(lab, { name: 'patient', system: 'debian12' });
    await lab.mirror.break({ kind: 'status', status: 503, retryAfterSeconds: 1, host: apt, path: '/dists', times: 2 });
    await lab.mirror.break({ kind: 'truncate', afterBytes: 400, host: apt, path: '/dists', times: 1 });
    await lab.mirror.break({ kind: 'truncate', afterBytes: 100_000, host: apt, path: '/pool', times: 1 });

    const run = await bootstrap(node, [...image, ...flags]);

    expect(run.exitCode, JSON.stringify(ending(run))).toBe(0);
    expect(await version(node, 'nomad')).toBe(`${lab.mirror.offer.nomad.real}-1`);
    await lab.mirror.repairEverything();
  });

  test('a manual installation, a broken foreign repository and a busy dpkg are no obstacles', async () => {
    const node = await freshNode(lab, { name: 'used', system: 'debian12' });
    const foreign = '/etc/apt/sources.list.d/foreign.list';
    const manual = '/etc/apt/sources.list.d/hashicorp.list';
    await node.writeFile(foreign, `deb https://${apt}/nothing stable main\n`);
    await node.writeFile(manual, `deb [signed-by=/usr/share/keyrings/old.gpg] https://${apt} bookworm main\n`);
    // apt's lock is a POSIX record lock, which flock(1) does not make: dpkg itself, kept waiting for its input, does.
    const busy = node.exec(['sh', '-c', 'sleep 6 | dpkg --set-selections'], { check: false });
    await holds(node, 'lslocks -rno PATH | grep -q /var/lib/dpkg/lock');

    const run = await bootstrap(node, [...image, ...flags]);

    expect(run.exitCode, JSON.stringify(ending(run))).toBe(0);
    expect(planned(run)).toContain(`file:${manual}`);
    expect(madeTrue(run)).toEqual(planned(run));
    expect(eventsNamed(run, 'waiting').map(({ message }) => message)).toContainEqual(
      expect.stringMatching(/^waiting for dpkg \(process \d+\) to release \/var\/lib\/dpkg\/lock/),
    );
    await busy;
  });

  // Nomad and Consul are unpacked in a transaction of their own, while the rest is downloaded; the last one is of everything.
  test.each([
    ['the first', 'true'],
    ['the last', 'pgrep -af "^apt-get install .* iptables" | grep -qv -e --download-only'],
  ])('%s transaction, killed half-way, is made anew, in the versions that are wanted', async (_, goingOn) => {
    const node = await freshNode(lab, { name: goingOn === 'true' ? 'killed1' : 'killed2', system: 'debian12' });
    const running = bootstrap(node, [...image, ...flags]);
    await holds(node, `pgrep -x dpkg && ${goingOn} && test -n "$(ls /var/lib/dpkg/updates)"`);
    await node.exec(['pkill', '-KILL', '-x', 'dpkg|apt-get']);

    const run = await running;

    expect(run.exitCode, JSON.stringify(ending(run))).toBe(0);
    expect((await node.exec(['dpkg', '--audit'])).stdout).toBe('');
    expect([await version(node, 'nomad'), await version(node, 'consul')]).toEqual([
      `${lab.mirror.offer.nomad.real}-1`,
      `${lab.mirror.offer.consul.real}-1`,
    ]);
  });

  test('an upgrade of the system leaves both agents alone, one that is asked for does not', async () => {
    const { olderPatch, nextMinor } = lab.mirror.offer.nomad;
    const [debian, rocky] = await Promise.all([
      freshNode(lab, { name: 'held1', system: 'debian12' }),
      freshNode(lab, { name: 'held2', system: 'rocky9' }),
    ]);
    const upgrade = new Map([
      [debian, ['sh', '-c', 'apt-get update -q && apt-get upgrade -yq && dpkg-query -W nomad']],
      [rocky, ['sh', '-c', 'dnf -y --refresh upgrade && rpm -q nomad']],
    ]);
    for (const [node, command] of upgrade) {
      expect((await bootstrap(node, [...image, '--nomad-version', olderPatch, ...flags])).exitCode).toBe(0);
      expect((await node.exec(command)).stdout).toContain(olderPatch);

      const asked = await bootstrap(node, [...image, '--nomad-version', nextMinor, ...flags]);
      expect(asked.exitCode, JSON.stringify(ending(asked))).toBe(0);
      expect((await node.exec(command)).stdout).toContain(nextMinor);

      expect(failure(await bootstrap(node, [...image, '--nomad-version', olderPatch, ...flags]))).toMatchObject({
        code: 'downgrade-refused',
      });
    }
  });
});
