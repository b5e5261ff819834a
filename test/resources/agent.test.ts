import { describe, expect, it } from 'vitest';
import { BootstrapError } from '../../src/core/errors.ts';
import { type AgentSpec, agent } from '../../src/resources/agent.ts';
import { type FixtureDescription, type FixtureHost, fixtureHost } from '../support/fixture-host.ts';

const config = '/etc/nomad.d/nomad.hcl';
const dropIn = '/etc/systemd/system/nomad.service.d/10.conf';
const record = '/var/lib/nomad-bootstrap/started/nomad';
const url = 'http://127.0.0.1:4646/v1/agent/self';
const none = new Set<string>();

function spec(over: Partial<AgentSpec> = {}): AgentSpec {
  return {
    name: 'nomad',
    version: '2.0.5',
    directory: '/etc/nomad.d',
    files: [
      { path: config, content: 'name = "a"\n', attributes: { mode: 0o640, owner: 'nomad:nomad' } },
      { path: dropIn, content: '[Unit]\n', attributes: { mode: 0o644, owner: 'root:root' } },
    ],
    validate: ['nomad', 'config', 'validate'],
    answersAt: url,
    beforeRestart: async () => {},
    ...over,
  };
}

/** A node whose systemd keeps a state; the agent answers while it is active and its configuration is not `broken`. */
function node(description: FixtureDescription = {}, initially = { active: false, enabled: false }): FixtureHost {
  let { active, enabled } = initially;
  let failed = false;
  const works = (host: FixtureHost) => !(host.contents()[config] ?? '').includes('broken');
  const start = (host: FixtureHost) => {
    active = works(host);
    failed = !active;
    return active ? {} : { exitCode: 1, stderr: 'Job for nomad.service failed' };
  };
  const show = () => ({
    stdout: `LoadState=loaded\nActiveState=${active ? 'active' : failed ? 'failed' : 'inactive'}\nUnitFileState=${enabled ? 'enabled' : 'disabled'}\nResult=success\nNRestarts=0\n`,
  });
  return fixtureHost({
    ...description,
    commands: {
      'systemctl show --property=LoadState,UnitFileState,ActiveState,SubState,Result,NRestarts nomad.service': show,
      'nomad config validate /var/lib/nomad-bootstrap/staging/nomad': host =>
        (host.contents()['/var/lib/nomad-bootstrap/staging/nomad/nomad.hcl'] ?? '').includes('refused')
          ? { exitCode: 1, stderr: 'unknown key in /var/lib/nomad-bootstrap/staging/nomad/nomad.hcl' }
          : {},
      'systemctl daemon-reload': {},
      'systemctl reset-failed nomad.service': {},
      'systemctl enable --quiet nomad.service': () => {
        enabled = true;
        return {};
      },
      'systemctl disable --quiet nomad.service': () => {
        enabled = false;
        return {};
      },
      'systemctl restart nomad.service': start,
      'systemctl start nomad.service': start,
      'systemctl stop nomad.service': () => {
        active = false;
        return {};
      },
      'journalctl --unit=nomad.service --lines=15 --output=cat --no-pager': { stdout: 'Error: it is broken\n' },
      ...description.commands,
    },
    requests: { [`GET ${url}`]: () => (active ? { status: 403, body: '{}' } : 'unreachable') },
  });
}

const stock = { [config]: { content: 'server { bootstrap_expect = 1 }\n', mode: 0o644, owner: 'nomad:nomad' } };

async function converge(host: FixtureHost, wanted: AgentSpec): Promise<void> {
  const change = await agent(wanted).plan(host, none);
  await change?.apply(host);
}

function commandsOf(host: FixtureHost): readonly string[] {
  return host.log.flatMap(mutation => (mutation.kind === 'run' ? [mutation.argv.join(' ')] : []));
}

describe('an agent', () => {
  it('is configured, judged by its own program, enabled and started, and then nothing is left to do', async () => {
    const host = node({ files: stock });

    const change = await agent(spec()).plan(host, none);
    await change?.apply(host);

    expect(change?.summary).toBe('configure, enable, start nomad');
    expect(change?.diff).toContain('-server { bootstrap_expect = 1 }');
    expect(commandsOf(host)).toEqual([
      'nomad config validate /var/lib/nomad-bootstrap/staging/nomad',
      // Which has systemd read all units anew.
      'systemctl enable --quiet nomad.service',
      'systemctl reset-failed nomad.service',
      'systemctl restart nomad.service',
    ]);
    expect(host.contents()[config]).toBe('name = "a"\n');
    expect(await host.stat('/var/lib/nomad-bootstrap/staging/nomad')).toBeUndefined();
    expect(await agent(spec()).plan(host, none)).toBeUndefined();
  });

  it('gets ready at once, and starts when the step has ended that it starts after', async () => {
    const host = node({ files: stock });
    const consul = Promise.withResolvers<void>();
    const asked: string[] = [];

    const change = await agent(spec({ startsAfter: ['consul'] })).plan(host, none);
    const ended = (step: string) => {
      asked.push(`${step}: ${commandsOf(host).at(-1)}`);
      return consul.promise;
    };
    const applied = change?.apply(host, { ended, endPart: () => undefined });
    // A machine that is restarted meanwhile must not start it.
    await expect.poll(() => asked).toEqual(['consul: nomad config validate /var/lib/nomad-bootstrap/staging/nomad']);
    expect(host.contents()[config]).toBe('name = "a"\n');
    consul.resolve();
    await applied;

    expect(commandsOf(host).slice(-3)).toEqual([
      'systemctl enable --quiet nomad.service',
      'systemctl reset-failed nomad.service',
      'systemctl restart nomad.service',
    ]);
  });

  it('gets its former configuration back when the step fails that it starts after', async () => {
    const host = node({ files: stock });

    const change = await agent(spec({ startsAfter: ['consul'] })).plan(host, none);
    const ended = () => Promise.reject(new Error('no Consul'));
    await expect(change?.apply(host, { ended, endPart: () => undefined })).rejects.toThrow();

    expect(host.contents()[config]).toBe(stock[config].content);
    expect(commandsOf(host)).not.toContain('systemctl restart nomad.service');
  });

  it('is restarted when it is to run with something else, and only then', async () => {
    const host = node({ files: stock });
    await converge(host, spec());

    const newer = await agent(spec({ version: '2.0.7' })).plan(host, none);

    expect(newer?.summary).toBe('restart nomad');
    expect(newer?.diff).toBeUndefined();
  });

  it('gets its own configuration back, and is restarted with it, after somebody edited it by hand', async () => {
    const host = node({ files: stock });
    await converge(host, spec());
    await host.writeFile(config, 'name = "b"\n', { mode: 0o640, owner: 'nomad:nomad' });

    const edited = await agent(spec()).plan(host, none);
    await edited?.apply(host);

    expect(edited?.summary).toBe('configure, restart nomad');
    expect(commandsOf(host).filter(command => command === 'systemctl restart nomad.service')).toHaveLength(2);
    expect(host.contents()[config]).toBe('name = "a"\n');
  });

  it('is started again where it was stopped, and enabled where it was disabled', async () => {
    const host = node({ files: stock });
    await converge(host, spec());
    await host.run(['systemctl', 'stop', 'nomad.service']);
    await host.run(['systemctl', 'disable', '--quiet', 'nomad.service']);

    expect((await agent(spec()).plan(host, none))?.summary).toBe('enable, start nomad');
  });

  it('is not restarted only to be enabled', async () => {
    const host = node({ files: stock });
    await converge(host, spec());
    await host.run(['systemctl', 'disable', '--quiet', 'nomad.service']);
    const before = commandsOf(host).length;

    await converge(host, spec());

    expect(commandsOf(host).slice(before)).toEqual(['systemctl enable --quiet nomad.service']);
  });

  it('keeps its former configuration when it refuses the new one, and nothing is touched', async () => {
    const host = node({ files: stock });
    const refused = spec({
      files: [{ path: config, content: 'refused', attributes: { mode: 0o640, owner: 'nomad:nomad' } }],
    });

    await expect(converge(host, refused)).rejects.toMatchObject({
      code: 'config-refused',
      detail: 'unknown key in /etc/nomad.d/nomad.hcl',
    });

    expect(host.contents()).toEqual({ [config]: 'server { bootstrap_expect = 1 }\n' });
    expect(commandsOf(host)).toEqual(['nomad config validate /var/lib/nomad-bootstrap/staging/nomad']);
  });

  it("is judged together with the operator's own files", async () => {
    const host = node({ files: { ...stock, '/etc/nomad.d/zz-local.hcl': 'refused', '/etc/nomad.d/nomad.env': 'A=b' } });
    const seen: string[] = [];
    const watched: FixtureHost = {
      ...host,
      run: (argv, options) => {
        if (argv[0] === 'nomad') seen.push(...Object.keys(host.contents()).filter(path => path.includes('/staging/')));
        return host.run(argv, options);
      },
    };

    await converge(watched, spec());

    expect(seen).toEqual([
      '/var/lib/nomad-bootstrap/staging/nomad/nomad.hcl',
      '/var/lib/nomad-bootstrap/staging/nomad/zz-local.hcl',
    ]);
  });

  it("never starts with the package's own configuration when it does not come up with ours", async () => {
    const host = node({ files: stock });
    const broken = spec({
      files: [{ path: config, content: 'broken', attributes: { mode: 0o640, owner: 'nomad:nomad' } }],
    });

    await expect(converge(host, broken)).rejects.toMatchObject({
      code: 'agent-not-starting',
      detail: 'Error: it is broken',
    });

    expect(host.contents()[config]).toBe('server { bootstrap_expect = 1 }\n');
    expect(commandsOf(host).at(-1)).toBe('systemctl disable --quiet nomad.service');
    expect(commandsOf(host)).not.toContain('systemctl start nomad.service');
  });

  it('runs again with its former configuration when it does not come up with the new one', async () => {
    const host = node({ files: stock });
    await converge(host, spec());
    const broken = spec({
      files: [{ path: config, content: 'broken', attributes: { mode: 0o640, owner: 'nomad:nomad' } }],
    });

    await expect(converge(host, broken)).rejects.toMatchObject({
      code: 'agent-not-starting',
      message: expect.stringContaining('it runs with that'),
    });

    expect(host.contents()[config]).toBe('name = "a"\n');
    expect(commandsOf(host).at(-1)).toBe('systemctl start nomad.service');
    expect((await host.request(url)).status).toBe(403);
  });

  it('that does not come up with its former configuration either is not said to run, and what else it reads is named', async () => {
    const host = node({ files: stock });
    await converge(host, spec());
    await host.writeFile('/etc/nomad.d/zz-local.hcl', 'bind_addr = "192.0.2.1"\n', { mode: 0o644, owner: 'root:root' });
    const broken = spec({
      files: [{ path: config, content: 'broken', attributes: { mode: 0o640, owner: 'nomad:nomad' } }],
    });
    const neverAgain: FixtureHost = {
      ...host,
      run: async (argv, options) => {
        const result = host.run(argv, options);
        if (argv[1] === 'start')
          throw new BootstrapError('command-failed', 'Job for nomad.service failed', { hint: '-' });
        return result;
      },
    };

    await expect(converge(neverAgain, broken)).rejects.toMatchObject({
      code: 'agent-not-starting',
      message:
        'nomad did not come up with its new configuration; the former one was put back, but it does not come up with that either',
      detail: 'Error: it is broken',
      hint: expect.stringContaining('its address, ports and folders or /etc/nomad.d/zz-local.hcl'),
    });

    expect(host.contents()[config]).toBe('name = "a"\n');
  });

  it('that starts with its former configuration and ends at once is not said to run', async () => {
    const host = node({ files: stock });
    await converge(host, spec());
    const broken = spec({
      files: [{ path: config, content: 'broken', attributes: { mode: 0o640, owner: 'nomad:nomad' } }],
    });
    // Its unit is of type exec: systemd calls it started as soon as it is one.
    const silent: FixtureHost = {
      ...host,
      request: async asked => {
        throw new BootstrapError('unreachable', asked, { hint: '-' });
      },
    };

    await expect(converge(silent, broken)).rejects.toMatchObject({
      code: 'agent-not-starting',
      message: expect.stringContaining('it does not come up with that either'),
    });
  });

  it('that does not come up in its new version says that it cannot go back, and where the state from before is', async () => {
    const host = node({ files: stock });
    await converge(host, spec({ version: '2.0.4' }));
    const broken = spec({
      files: [{ path: config, content: 'broken', attributes: { mode: 0o640, owner: 'nomad:nomad' } }],
    });

    await expect(converge(host, broken)).rejects.toMatchObject({
      code: 'agent-not-starting',
      message: expect.stringContaining('nomad 2.0.5 did not come up'),
      hint: expect.stringMatching(/ran as 2\.0\.4 before, and cannot simply go back.*nomad-bootstrap\/snapshots/),
    });
  });

  describe('that is to run as another user', () => {
    const data = '/opt/nomad/data';
    const asNomad = spec({ data: { path: data, attributes: { mode: 0o700, owner: 'nomad:nomad' } } });
    const asRoot = (content: string) =>
      spec({
        files: [{ path: config, content, attributes: { mode: 0o640, owner: 'nomad:nomad' } }],
        unwanted: [dropIn],
        data: { path: data, attributes: { mode: 0o700, owner: 'root:root' } },
      });

    it('loses what made it run as the former one, and its data only when that has ended', async () => {
      const host = node({ files: stock });
      await converge(host, asNomad);

      await converge(host, asRoot('name = "b"\n'));

      expect(await host.stat(dropIn)).toBeUndefined();
      expect(await host.stat(data)).toMatchObject({ owner: 'root:root' });
      const order = host.log.map(mutation => (mutation.kind === 'run' ? mutation.argv[1] : mutation.kind));
      expect(order.lastIndexOf('directory')).toBeGreaterThan(order.lastIndexOf('stop'));
      expect(await agent(asRoot('name = "b"\n')).plan(host, none)).toBeUndefined();
    });

    it('has all of that back when it does not come up, and runs', async () => {
      const host = node({ files: stock });
      await converge(host, asNomad);

      await expect(converge(host, asRoot('broken'))).rejects.toMatchObject({
        message: expect.stringContaining('it runs with that'),
      });

      expect(host.contents()[dropIn]).toBe('[Unit]\n');
      expect(await host.stat(data)).toMatchObject({ mode: 0o700, owner: 'nomad:nomad' });
    });

    it('is not restarted for a mode that somebody changed', async () => {
      const host = node({ files: stock });
      await converge(host, asNomad);
      await host.setAttributes(data, { mode: 0o755, owner: 'nomad:nomad' });
      const before = commandsOf(host).length;

      const change = await agent(asNomad).plan(host, none);
      await change?.apply(host);

      expect(change?.summary).toBe('secure the data of nomad');
      expect(change?.undo).toMatchObject({ folders: [{ path: data, attributes: { mode: 0o755 } }] });
      expect(commandsOf(host).slice(before)).toEqual(['systemctl enable --quiet nomad.service']);
      expect(await host.stat(data)).toMatchObject({ mode: 0o700 });
    });
  });

  it('counts as not started with its files as soon as the first of them is written', async () => {
    const host = node({ files: stock });
    await converge(host, spec());
    const changed = spec({
      files: [{ path: config, content: 'name = "b"\n', attributes: { mode: 0o640, owner: 'nomad:nomad' } }],
    });

    const killed: FixtureHost = {
      ...host,
      writeFile: async (path, ...rest) => {
        await host.writeFile(path, ...rest);
        if (path === config) throw new BootstrapError('terminated', 'killed', { hint: '-' });
      },
    };
    await expect(converge(killed, changed)).rejects.toMatchObject({ code: 'terminated' });

    expect(await host.readText(record)).toBeUndefined();
    expect((await agent(changed).plan(host, none))?.summary).toBe('restart nomad');
  });

  it('is not restarted while the cluster cannot do without it, and nothing is touched', async () => {
    const host = node({ files: stock });
    await converge(host, spec());
    const before = host.contents();
    const guarded = spec({
      version: '2.0.7',
      beforeRestart: async () => {
        throw new BootstrapError('would-lose-quorum', 'no', { hint: 'wait' });
      },
    });

    await expect(converge(host, guarded)).rejects.toMatchObject({ code: 'would-lose-quorum' });

    expect(host.contents()).toEqual(before);
  });
});
