import { describe, expect, it } from 'vitest';
import { readSysctl, sysctl } from '../../src/resources/sysctl.ts';
import { fixtureHost } from '../support/fixture-host.ts';

const none: ReadonlySet<string> = new Set();
const key = 'net.bridge.bridge-nf-call-iptables';
const path = '/proc/sys/net/bridge/bridge-nf-call-iptables';
const module = 'kernel-module:br_netfilter';
const command = `sysctl -qw ${key}=1`;

describe('a kernel setting', () => {
  it('is set at once, and its former value is remembered', async () => {
    const host = fixtureHost({
      files: { [path]: '0\n' },
      commands: {
        [command]: host => {
          void host.writeFile(path, '1\n', { mode: 0o644, owner: 'root:root' });
          return {};
        },
      },
    });

    const change = await sysctl(key, '1').plan(host, none);
    await change?.apply(host);

    expect(change).toMatchObject({
      summary: `set ${key} = 1`,
      diff: `${key}: 0 -> 1\n`,
      undo: { kind: 'sysctl', key, value: '0' },
    });
    expect(await readSysctl(host, key)).toBe('1');
    expect(await sysctl(key, '1').plan(host, none)).toBeUndefined();
  });

  it('that is right is left alone', async () => {
    expect(await sysctl(key, '1').plan(fixtureHost({ files: { [path]: '1\n' } }), none)).toBeUndefined();
  });

  it('that does not exist yet is announced with what will bring it', async () => {
    const host = fixtureHost();

    const change = await sysctl(key, '1', module).plan(host, new Set([module]));

    expect(change).toMatchObject({ diff: `${key}: absent -> 1\n`, undo: { kind: 'sysctl', key } });
    expect(change?.undo).not.toHaveProperty('value');
  });

  it('that this kernel does not have, and that nothing will bring, is not wished for', async () => {
    expect(await sysctl(key, '1', module).plan(fixtureHost(), none)).toBeUndefined();
    expect(await sysctl(key, '1').plan(fixtureHost(), new Set([module]))).toBeUndefined();
  });

  it('that cannot be set says which command failed', async () => {
    const host = fixtureHost({
      files: { [path]: '0\n' },
      commands: { [command]: { exitCode: 255, stderr: 'permission denied' } },
    });
    const change = await sysctl(key, '1').plan(host, none);

    await expect(change?.apply(host)).rejects.toMatchObject({ code: 'command-failed', detail: 'permission denied' });
  });
});
