import { describe, expect, test } from 'vitest';
import type { CommandContext } from '../../src/commands/command.ts';
import { run } from '../../src/commands/uninstall.ts';
import type { Settings } from '../../src/config/options.ts';
import type { Recorded } from '../../src/config/record.ts';
import { createJournal } from '../../src/core/journal.ts';
import type { Event, Undo } from '../../src/core/types.ts';
import { type FixtureCommand, type FixtureHost, fixtureHost } from '../support/fixture-host.ts';

const api = { nomad: 'http://127.0.0.1:4646/v1', consul: 'http://127.0.0.1:8500/v1' };
const readOnly =
  '-o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= -o Debug::NoLocking=true -o APT::AutoRemove::SuggestsImportant=false';
const simulate = (rest: string) => `apt-get -s --allow-change-held-packages ${readOnly} ${rest}`;
const states = (names: string) => `dpkg-query -W -f=\${Package}\\t\${db:Status-Status}\\n ${names}`;
const network = '-o Acquire::Retries=3 -o DPkg::Lock::Timeout=60 -o Dpkg::Use-Pty=0';
const purge = `apt-get purge -y -q --allow-change-held-packages ${network} nomad consul`;
const locks = 'lslocks --raw --noheadings --notruncate --output PID,MODE,COMMAND,PATH';
const show = (unit: string) =>
  `systemctl show --property=LoadState,UnitFileState,ActiveState,SubState,Result,NRestarts ${unit}.service`;

/** What a server on Debian journals, in its order. */
const journalled: readonly Undo[] = [
  { kind: 'files', files: [{ path: '/usr/share/keyrings/hashicorp-archive-keyring.asc' }] },
  { kind: 'files', files: [{ path: '/etc/apt/sources.list.d/hashicorp.sources' }] },
  {
    kind: 'packages',
    manager: 'apt',
    names: ['nomad', 'consul'],
    before: ['bash'],
    existing: { users: [], groups: [], directories: [], files: [] },
  },
  { kind: 'package-hold', manager: 'apt', names: ['nomad', 'consul'] },
  ...(['consul', 'nomad'] as const).map(unit => ({
    kind: 'agent',
    unit,
    files: [
      {
        path: `/etc/${unit}.d/${unit}.hcl`,
        former: { contentBase64: btoa('stock\n'), attributes: { mode: 0o644, owner: `${unit}:${unit}` } },
      },
      { path: `/etc/systemd/system/${unit}.service.d/10-nomad-bootstrap.conf` },
    ],
    directories: [`/etc/systemd/system/${unit}.service.d`],
    enabled: false,
    active: false,
  })),
  { kind: 'directory', path: '/etc/nomad-bootstrap' },
  { kind: 'files', files: [{ path: '/etc/nomad-bootstrap/settings.json' }] },
];

const lines = journalled.flatMap((undo, entry) => [
  JSON.stringify({ entry, id: `x:${entry}`, undo, at: '2026-11-22T12:00:00Z' }),
  JSON.stringify({ entry, done: true }),
]);

/** A server as a bootstrap leaves it: its programs do what they do. */
function server(over: Readonly<Record<string, FixtureCommand>> = {}): FixtureHost {
  const active = new Set(['nomad', 'consul']);
  const enabled = new Set(['nomad', 'consul']);
  let installed = ['nomad', 'consul'];
  const unit = (name: string): Record<string, FixtureCommand> => ({
    [show(name)]: () => ({
      stdout: `LoadState=loaded\nActiveState=${active.has(name) ? 'active' : 'inactive'}\nUnitFileState=${enabled.has(name) ? 'enabled' : 'disabled'}\n`,
    }),
    [`systemctl stop ${name}.service`]: () => (active.delete(name) ? {} : {}),
    [`systemctl disable --quiet ${name}.service`]: () => (enabled.delete(name) ? {} : {}),
    [`systemctl reset-failed ${name}.service`]: {},
  });
  const present = () => ({ stdout: installed.map(name => `${name}\tinstalled\n`).join('') });
  const removed = () => ({ stdout: installed.map(name => `Remv ${name} [1]\n`).join('') });
  return fixtureHost({
    files: {
      '/etc/passwd': 'root:x:0:0::/:\nconsul:x:997:997::/:\nnomad:x:996:996::/:\n',
      '/etc/group': 'root:x:0:\n',
      '/var/lib/nomad-bootstrap/journal': '',
      '/var/lib/nomad-bootstrap/started/nomad': 'x',
      '/etc/nomad-bootstrap/settings.json': '{}',
      '/etc/nomad-bootstrap/token': 'an operator put it here\n',
      '/etc/nomad.d/nomad.hcl': { content: 'ours\n', owner: 'nomad:nomad' },
      '/etc/consul.d/consul.hcl': { content: 'ours\n', owner: 'consul:consul' },
      '/etc/systemd/system/nomad.service.d/10-nomad-bootstrap.conf': '',
      '/etc/systemd/system/consul.service.d/10-nomad-bootstrap.conf': '',
      '/etc/apt/sources.list.d/hashicorp.sources': '',
      '/usr/share/keyrings/hashicorp-archive-keyring.asc': '',
      '/opt/nomad/data/server/raft.db': { content: '', owner: 'nomad:nomad' },
      '/opt/consul/raft/raft.db': { content: '', owner: 'consul:consul' },
    },
    directories: { '/opt/nomad/data': { owner: 'nomad:nomad' }, '/opt/consul': { owner: 'consul:consul' } },
    commands: {
      ...unit('nomad'),
      ...unit('consul'),
      'systemctl daemon-reload': {},
      'systemctl kill --kill-who=main --signal=SIGTERM nomad.service': () => (active.delete('nomad') ? {} : {}),
      [states('nomad consul')]: present,
      [states('consul nomad')]: present,
      [simulate('remove nomad consul')]: removed,
      [simulate('autoremove')]: {},
      [simulate('remove --auto-remove nomad consul')]: removed,
      [simulate('remove --auto-remove')]: {},
      'dpkg --audit': {},
      [locks]: {},
      [purge]: host => {
        installed = [];
        for (const folder of ['/etc/nomad.d', '/etc/consul.d']) void host.remove(folder);
        void host.writeFile('/etc/passwd', 'root:x:0:0::/:\n', { mode: 0o644, owner: 'root:root' });
        return {};
      },
      ...over,
    },
    requests: {
      [`GET ${api.nomad}/status/peers`]: () => (active.has('nomad') ? { body: '["10.0.0.1:4647"]' } : 'unreachable'),
      [`GET ${api.consul}/status/peers`]: () => (active.has('consul') ? { body: '["10.0.0.1:8300"]' } : 'unreachable'),
      [`GET ${api.consul}/agent/members`]: { body: '[]' },
      [`PUT ${api.consul}/agent/leave`]: () => {
        active.delete('consul');
        return {};
      },
    },
  });
}

interface Given {
  readonly settings?: Settings;
  readonly journal?: readonly string[];
  readonly recorded?: Recorded;
  readonly signal?: AbortSignal;
}

async function uninstall(host: FixtureHost, { settings = {}, journal = lines, recorded, signal }: Given = {}) {
  const events: Event[] = [];
  const appended: string[] = [];
  const log = {
    append: async (line: string) => void appended.push(line),
    lines: async () => [...journal, ...appended],
  };
  const context: CommandContext = {
    command: 'uninstall',
    action: undefined,
    settings,
    flags: new Set(),
    linodeToken: undefined,
    token: { given: undefined, recorded: undefined, ask: async () => undefined, hide: () => {} } as never,
    nomadToken: undefined,
    recorded,
    host,
    journal: createJournal(log, host.now),
    reporter: { report: event => void events.push(event) },
    signal: signal ?? new AbortController().signal,
    version: '0',
    colour: false,
    answer: () => {},
  };
  const exitCode = await run(context);
  const notices = events.flatMap(event => (event.type === 'notice' ? [event.message] : []));
  const ids = (type: 'change-applied' | 'change-satisfied') =>
    events.flatMap(event => (event.type === type ? [event.id] : []));
  const planned = events.flatMap(event => (event.type === 'planned' ? event.changes.map(({ id }) => id) : []));
  return {
    exitCode,
    events,
    appended,
    notices,
    planned,
    applied: ids('change-applied'),
    satisfied: ids('change-satisfied'),
  };
}

function done(host: FixtureHost): readonly string[] {
  return host.log.map(mutation => {
    switch (mutation.kind) {
      case 'run':
        return mutation.argv.join(' ');
      case 'send':
        return `${mutation.method} ${mutation.url}`;
      case 'attributes':
        return `${mutation.owner} ${mutation.mode.toString(8)} ${mutation.path}`;
      case 'remove':
        return `remove ${mutation.path}`;
      default:
        return mutation.kind;
    }
  });
}

describe('an uninstallation', () => {
  test('takes everything back in an order that never leaves an agent without what it needs', async () => {
    const host = server();
    const { exitCode, notices } = await uninstall(host);
    expect(exitCode).toBe(0);
    expect(done(host)).toEqual([
      'systemctl kill --kill-who=main --signal=SIGTERM nomad.service',
      'systemctl stop nomad.service',
      'systemctl reset-failed nomad.service',
      'systemctl disable --quiet nomad.service',
      'remove /etc/nomad.d/nomad.hcl',
      'remove /etc/systemd/system/nomad.service.d/10-nomad-bootstrap.conf',
      'systemctl daemon-reload',
      `PUT ${api.consul}/agent/leave`,
      'systemctl stop consul.service',
      'systemctl reset-failed consul.service',
      'systemctl disable --quiet consul.service',
      'remove /etc/consul.d/consul.hcl',
      'remove /etc/systemd/system/consul.service.d/10-nomad-bootstrap.conf',
      'systemctl daemon-reload',
      'root:root 700 /opt/nomad/data',
      'root:root 700 /opt/consul',
      purge,
      'remove /etc/nomad.d',
      'remove /etc/consul.d',
      'write',
      'remove /etc/apt/sources.list.d/hashicorp.sources',
      'remove /usr/share/keyrings/hashicorp-archive-keyring.asc',
      'remove /etc/systemd/system/nomad.service.d',
      'remove /etc/systemd/system/consul.service.d',
      'remove /etc/nomad-bootstrap/settings.json',
      'remove /var/lib/nomad-bootstrap',
    ]);
    expect(notices).toEqual([
      'kept: the data in /opt/nomad/data',
      'kept: the data in /opt/consul',
      "/etc/nomad-bootstrap keeps what is not nomad-bootstrap's: token",
    ]);
    expect(Object.keys(host.contents())).toEqual([
      '/etc/group',
      '/etc/nomad-bootstrap/token',
      '/etc/passwd',
      '/opt/consul/raft/raft.db',
      '/opt/nomad/data/server/raft.db',
    ]);
  });

  test("takes certificates out of the agents' folders before the packages go, so that nothing stays in them", async () => {
    const host = server();
    const pem = '/etc/nomad.d/tls/agent.pem';
    await host.writeFile(pem, 'PEM\n', { mode: 0o640, owner: 'nomad:nomad' });
    const secrets: readonly Undo[] = [
      { kind: 'directory', path: '/etc/nomad.d/tls' },
      { kind: 'files', files: [{ path: pem }] },
    ];
    const more = secrets.map((undo, at) => JSON.stringify({ entry: 100 + at, id: 'x', undo, at: '' }));

    const { planned, notices } = await uninstall(host, { journal: [...lines, ...more] });

    expect(planned.indexOf(`file:${pem}`)).toBeGreaterThan(planned.indexOf('agent:nomad'));
    expect(planned.indexOf('directory:/etc/nomad.d/tls')).toBeLessThan(planned.indexOf('packages:apt'));
    expect(notices.filter(notice => notice.includes('/etc/nomad.d'))).toEqual([]);
  });

  test('keeps the state that was saved before upgrades with the data, and a later one deletes it on request', async () => {
    const host = server();
    const state = '/var/lib/nomad-bootstrap/snapshots/nomad_2.0.4-1_20261122T120000Z.snap';
    await host.writeFile(state, 'state', { mode: 0o600, owner: 'root:root' });

    const { notices } = await uninstall(host);

    expect(notices).toContain('kept: the data in /var/lib/nomad-bootstrap/snapshots');
    expect(Object.keys(host.contents()).filter(path => path.startsWith('/var/lib/nomad-bootstrap'))).toEqual([state]);
    expect((await uninstall(host, { journal: [] })).planned).toEqual([]);
    await uninstall(host, { journal: [], settings: { purgeData: true } });
    expect(await host.stat('/var/lib/nomad-bootstrap')).toBeUndefined();
  });

  test('deletes data on request', async () => {
    const host = server();
    await uninstall(host, { settings: { purgeData: true } });
    expect(await host.stat('/opt/nomad')).toBeUndefined();
    expect(await host.stat('/opt/consul')).toBeUndefined();
  });

  test('announces in a dry run what it then does, and changes nothing', async () => {
    const host = server();
    const dry = await uninstall(host, { settings: { dryRun: true } });
    expect(host.log).toEqual([]);
    const { planned, applied, satisfied } = await uninstall(host);
    expect(dry.planned).toEqual(planned);
    expect([...applied, ...satisfied].sort()).toEqual([...planned].sort());
    // The purge has deleted them.
    expect(satisfied).toEqual(['user:nomad', 'user:consul']);
  });

  test('that was interrupted is continued by the next', async () => {
    const host = server();
    const abort = new AbortController();
    const reason = new Error('interrupted');
    const stopping: FixtureHost = {
      ...host,
      run: (argv, options) => {
        if (argv.includes('purge')) abort.abort(reason);
        return host.run(argv, options);
      },
    };
    await expect(uninstall(stopping, { signal: abort.signal })).rejects.toBe(reason);
    expect(done(host).at(-1)).not.toBe('remove /var/lib/nomad-bootstrap');

    const { planned } = await uninstall(host);
    expect(planned).toEqual([
      'file:/etc/apt/sources.list.d/hashicorp.sources',
      'file:/usr/share/keyrings/hashicorp-archive-keyring.asc',
      'directory:/etc/systemd/system/nomad.service.d',
      'directory:/etc/systemd/system/consul.service.d',
      'file:/etc/nomad-bootstrap/settings.json',
      'directory:/var/lib/nomad-bootstrap',
    ]);
  });

  test('remembers the packages of a transaction that it began', async () => {
    const host = server();
    const { appended } = await uninstall(host);
    expect(appended.map(line => JSON.parse(line))).toEqual([
      expect.objectContaining({ undo: { kind: 'packages-removed', packages: ['nomad', 'consul'] } }),
    ]);
  });

  test('leaves what others need by now, and names it', async () => {
    const host = server({
      [simulate('remove nomad consul')]: { stdout: 'Remv nomad [1]\nRemv consul [1]\nRemv my-mesh [1]\n' },
      [simulate('remove nomad')]: { stdout: 'Remv nomad [1]\n' },
      [simulate('remove consul')]: { stdout: 'Remv consul [1]\nRemv my-mesh [1]\n' },
      [simulate('remove --auto-remove nomad')]: { stdout: 'Remv nomad [1]\n' },
      [states('nomad')]: { stdout: 'nomad\tinstalled\n' },
      'dpkg --get-selections consul': { stdout: 'consul\thold\n' },
    });
    const { notices, planned } = await uninstall(host, { settings: { dryRun: true } });
    expect(notices).toContain('consul stays: my-mesh needs it');
    expect(planned).toContain('package-hold:consul');
    expect(planned).not.toContain('user:consul');
    expect(planned).not.toContain('data:/opt/consul');
  });

  test('of a server that the cluster cannot do without touches nothing', async () => {
    const host = server();
    const peers = { body: '["10.0.0.1:4647","10.0.0.2:4647"]' };
    const tied: FixtureHost = {
      ...host,
      request: async (url, options) =>
        url.endsWith('/peers') || url.endsWith('/health')
          ? {
              status: 200,
              headers: {},
              body: new TextEncoder().encode(url.endsWith('/peers') ? peers.body : '{"FailureTolerance":0}'),
            }
          : host.request(url, options),
    };
    await expect(uninstall(tied)).rejects.toMatchObject({ code: 'would-lose-quorum', exitCode: 1 });
    expect(host.log).toEqual([]);
  });

  test('where nothing was made is 0 changes, and announces none', async () => {
    const { exitCode, events } = await uninstall(fixtureHost(), { journal: [] });
    expect(exitCode).toBe(0);
    expect(events).toEqual([expect.objectContaining({ type: 'finished', outcome: 'converged', changes: 0 })]);
  });

  test('without a journal guesses nothing', async () => {
    await expect(uninstall(fixtureHost(), { journal: [], recorded: { version: 1 } as Recorded })).rejects.toMatchObject(
      {
        code: 'journal-missing',
        exitCode: 3,
      },
    );
  });
});
