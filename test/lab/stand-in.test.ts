import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { runCommand } from './commands.ts';
import { openLab, waitFor, whyNoLab } from './lab.ts';

const reason = whyNoLab();
const standIn = path.join(import.meta.dirname, 'packages/stand-in-nomad.py');
const folder = mkdtempSync(path.join(tmpdir(), 'stand-in-'));

afterAll(() => rmSync(folder, { recursive: true }));

function configuration(name: string, content: string): string {
  const file = path.join(folder, `${name}.hcl`);
  writeFileSync(file, content);
  return file;
}

const server = (number: number) => `
  name      = "server${number}"  # a comment
  data_dir  = "${folder}/${number}"
  bind_addr = "127.0.0.${number}"
  server {
    enabled          = true
    bootstrap_expect = 3
    server_join {
      retry_join = ["127.0.0.1", "127.0.0.2", "127.0.0.3"]
    }
  }
`;

describe.skipIf(reason !== undefined)(`the lab's stand-in for Nomad${reason ? ` (skipped: ${reason})` : ''}`, () => {
  const nomad = (...argv: string[]) => runCommand(['python3', standIn, ...argv], { check: false, timeoutMs: 20_000 });

  it('calls itself a stand-in in its version', async () => {
    expect((await nomad('version')).stdout).toMatch(/^Nomad v\d+\.\d+\.\d+\+stand-in\n/);
  });

  it('accepts a configuration that Nomad accepts, and refuses unknown keys and broken files', async () => {
    expect(await nomad('config', 'validate', configuration('good', server(1)))).toMatchObject({
      exitCode: 0,
      stdout: 'Configuration is valid!\n',
    });
    const unknown = await nomad('config', 'validate', configuration('unknown', `${server(1)}\nunknown_key = 1`));
    expect(unknown).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('unexpected keys unknown_key') });
    expect((await nomad('config', 'validate', configuration('broken', 'server {'))).exitCode).toBe(1);
    expect((await nomad('config', 'validate', configuration('empty', ''))).exitCode).toBe(1);
  });

  it('has a leader while a majority of its servers lives, and none when that is lost', async () => {
    const lab = await openLab(); // for its network: the servers listen on addresses of its loopback
    const inLab = ['nsenter', `--net=/run/netns/nbl-${lab.id}`];
    const servers = [1, 2, 3].map(number => {
      const argv = [
        ...inLab.slice(1),
        'python3',
        standIn,
        'agent',
        '-config',
        configuration(`${number}`, server(number)),
      ];
      return spawn('nsenter', argv, { stdio: 'ignore' });
    });
    const leaderAsSeenBy = async (number: number) => {
      const url = `http://127.0.0.${number}:4646/v1/status/leader?stale`;
      return (await runCommand([...inLab, 'curl', '-sS', '-m', '2', url], { check: false })).stdout;
    };
    try {
      const all = await waitFor('one leader for all', async () => {
        const seen = await Promise.all([1, 2, 3].map(leaderAsSeenBy));
        return new Set(seen).size === 1 && seen[0]?.includes(':4647') ? seen : undefined;
      });
      const leader = Number(/127\.0\.0\.(\d)/.exec(all[0] ?? '')?.[1]);
      const [first, second] = [1, 2, 3].filter(number => number !== leader);
      servers[leader - 1]?.kill('SIGKILL');
      await waitFor('another leader', async () => {
        const seen = await leaderAsSeenBy(first ?? 0);
        return seen !== '""' && seen !== all[0] ? true : undefined;
      });
      servers[(second ?? 0) - 1]?.kill('SIGKILL');
      await waitFor('no leader', async () => ((await leaderAsSeenBy(first ?? 0)).trim() === '""' ? true : undefined));
    } finally {
      for (const process of servers) process.kill('SIGKILL');
      await lab.close();
    }
  });
});
