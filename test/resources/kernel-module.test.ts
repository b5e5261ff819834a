import { describe, expect, it } from 'vitest';
import type { HostReader } from '../../src/core/types.ts';
import { kernelModule } from '../../src/resources/kernel-module.ts';
import { fixtureHost } from '../support/fixture-host.ts';

const none: ReadonlySet<string> = new Set();
const folder = '/sys/module/bridge';
const bridge = kernelModule('bridge', async (host: HostReader) => (await host.stat(folder)) !== undefined);

describe('a kernel module', () => {
  it('is loaded where its feature is missing', async () => {
    const host = fixtureHost({
      commands: {
        'modprobe bridge': host => {
          void host.makeDirectory(folder, { mode: 0o755, owner: 'root:root' });
          return {};
        },
      },
    });

    const change = await bridge.plan(host, none);
    await change?.apply(host);

    expect(change).toMatchObject({
      summary: 'load the kernel module bridge',
      undo: { kind: 'kernel-module', name: 'bridge' },
    });
    expect(await bridge.plan(host, none)).toBeUndefined();
  });

  it('is not asked for where the feature is there, loaded or built in', async () => {
    const host = fixtureHost({ directories: [folder] });

    expect(await bridge.plan(host, none)).toBeUndefined();
  });

  it('that cannot be loaded says what modprobe said, and which kernel has it', async () => {
    const host = fixtureHost({
      commands: { 'modprobe bridge': { exitCode: 1, stderr: 'modprobe: FATAL: Module bridge not found' } },
    });
    const change = await bridge.plan(host, none);

    await expect(change?.apply(host)).rejects.toMatchObject({
      code: 'command-failed',
      message: 'the kernel module bridge cannot be loaded',
      detail: 'modprobe: FATAL: Module bridge not found',
      hint: expect.stringMatching(/GRUB 2.*kernel-modules-extra/),
    });
  });
});
