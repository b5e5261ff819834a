import { spawn, spawnSync } from 'node:child_process';
import path from 'node:path';
import { describe, expect, it } from 'vitest';

const prompt = path.resolve(import.meta.dirname, '../../src/host/prompt.ts');
const program = `import { askSecret } from ${JSON.stringify(prompt)};
const answer = await askSecret('Token: ').catch(error => ({ reveal: () => error.code }));
process.stdout.write('<' + (answer?.reveal().length ?? 'none') + ' ' + (answer?.reveal().slice(0, 6) ?? '') + '>\\n');`;
const run = [process.execPath, '--input-type=module', '-e', program];

/** Runs the prompt on a terminal of its own, and types once it asks. */
function onTerminal(typed: string): Promise<string> {
  return new Promise(resolve => {
    const words = run.map(word => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
    const child = spawn('script', ['-qec', words, '/dev/null'], { stdio: ['pipe', 'pipe', 'inherit'] });
    let shown = '';
    child.stdout.on('data', (chunk: Buffer) => {
      const asked = shown.includes('Token: ');
      shown += chunk.toString();
      if (!asked && shown.includes('Token: ')) child.stdin.write(typed);
    });
    child.once('close', () => resolve(shown));
  });
}

const noTerminal = spawnSync('script', ['--version']).status !== 0;
if (noTerminal) process.stderr.write('skipped: test/host/prompt.test.ts: there is no program `script` here\n');

describe.skipIf(noTerminal)('the prompt for a token', () => {
  it('shows nothing of what is typed, however long it is, and takes back what is erased', async () => {
    const token = `nbclie${'0123456789'.repeat(600)}`;
    const shown = await onTerminal(`${token}x\u007f\r`);
    expect(shown).toContain(`<${token.length} nbclie>`);
    expect(shown).not.toContain('0123');
  });

  it('takes Enter for none, and Ctrl-C for an end', async () => {
    expect(await onTerminal('\r')).toContain('<none >');
    expect(await onTerminal('abc\u0003')).toContain('<11 interr>');
  });
});

it('asks nobody where there is no terminal', () => {
  const { stdout } = spawnSync('setsid', ['-w', ...run], { stdio: ['ignore', 'pipe', 'inherit'], encoding: 'utf8' });
  expect(stdout).toBe('<none >\n');
});
