import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { executable } from '../shaped-lab.ts';
import { median } from '../statistics.ts';
import { inAlternation, type Scenario } from './scenario.ts';

/** On this machine, without a lab: the time of one start is the median of some, since a single one is shorter than the noise. */
export const startUp: Scenario = {
  id: 'start-up',
  rounds: 7,
  round: async number => {
    const seconds: Record<string, number[]> = { 'ours.version': [], 'node.bare': [] };
    const time = (series: string, argv: readonly string[]) => {
      const [program = '', ...rest] = argv;
      const startedAt = performance.now();
      const { status } = spawnSync(program, rest, { stdio: 'ignore', env: { PATH: process.env['PATH'] } });
      if (status !== 0) throw new Error(`${argv.join(' ')}: exit ${status}`);
      seconds[series]?.push((performance.now() - startedAt) / 1000);
    };
    for (let start = 0; start < 21; start += 1) {
      await inAlternation(number + start, [
        async () => {
          time('ours.version', [resolve(executable), '--version']);
          return {};
        },
        async () => {
          time('node.bare', [process.execPath, '-e', '0']);
          return {};
        },
      ]);
    }
    return Object.fromEntries(Object.entries(seconds).map(([series, values]) => [series, median(values)]));
  },
};
