import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Lab, LabNode } from '../../test/lab/lab.ts';
import { release as executable, inShapedLab, observe, shapedNode } from '../shaped-lab.ts';
import type { Scenario } from './scenario.ts';

/** What install.sh takes before it runs anything: on a node without xz, and then with it, as on Linode's images. */
export const oneLiner: Scenario = {
  id: 'one-liner',
  rounds: 7,
  round: () =>
    inShapedLab(async lab => {
      publish(lab.mirror.releaseFolder);
      const node = await shapedNode(lab, { name: 'fresh' });
      const gzip = await install(lab, node, '.gz');
      await node.exec([
        'sh',
        '-ec',
        'rm /usr/local/bin/nomad-bootstrap; apt-get -qq update; apt-get -qq install xz-utils',
      ]);
      const xz = await install(lab, node, '.xz');
      return {
        'ours.one-liner': xz,
        'ours.one-liner-gzip': gzip,
        'ours.archive-megabytes': statSync(`${executable}.xz`).size / 1e6,
      };
    }),
};

async function install(lab: Lab, node: LabNode, ending: string): Promise<number> {
  const line = 'curl -fsSL https://release.lab/install.sh | sh';
  const { seconds, stdout } = await observe(lab, node, ['sh', '-c', line]);
  const { stdout: version } = await node.exec(['nomad-bootstrap', '--version']);
  if (!stdout.includes(`${executable.replace(/^.*\//, '')}${ending}\n`) || version === '') {
    throw new Error(`not installed from ${ending}:\n${stdout}`);
  }
  return seconds;
}

/** A release of this machine's executable, as `make dist` would publish it for both. */
function publish(folder: string): void {
  const files = ['', '.xz', '.gz'].map(ending => `${executable}${ending}`);
  for (const file of files) cpSync(file, path.join(folder, path.basename(file)));
  const sums = files.map(
    file => `${createHash('sha256').update(readFileSync(file)).digest('hex')}  ${path.basename(file)}\n`,
  );
  writeFileSync(path.join(folder, 'SHA256SUMS'), sums.join(''));
  execFileSync(process.execPath, ['scripts/release.ts', folder, 'https://release.lab']);
}
