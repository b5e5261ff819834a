import type { Lab, LabNode } from '../../test/lab/lab.ts';
import { executable, inShapedLab, observe, roleFlags, shapedNode } from '../shaped-lab.ts';
import type { Round, Scenario } from './scenario.ts';

/** Sizes that are measured; the target compares the last with the first. */
export const clusterSizes: readonly number[] = [3, 5, 10, 20];

const servers = 3;

/**
 * N nodes that have their packages already, started at one moment until each says that the whole cluster is healthy. The
 * first three are servers that run jobs too, the others clients: every node does the same kind of work.
 */
export function cluster(size: number, rounds: number): Scenario {
  return {
    id: `cluster-${size}`,
    rounds,
    round: () =>
      inShapedLab(async lab => {
        const image = await makeImage(lab);
        const names = Array.from({ length: size }, (_, index) => `node${index + 1}`);
        const nodes = await Promise.all(names.map(name => shapedNode(lab, { name, image })));
        return await startTogether(lab, nodes);
      }),
  };
}

/** A node with the packages, down: what others start with. Gives its name. */
async function makeImage(lab: Lab): Promise<string> {
  const node = await shapedNode(lab, { name: 'image' });
  await node.install(executable);
  await node.exec(['nomad-bootstrap', 'image', ...lab.mirror.offer.flags]);
  await node.writeFile('/etc/machine-id', '');
  await node.stop();
  return node.name;
}

async function startTogether(lab: Lab, nodes: readonly LabNode[]): Promise<Round> {
  const join = nodes.slice(0, servers).map(({ vlanAddress }) => vlanAddress ?? '');
  const common = ['--join', join.join(','), '--wait', '600', '--wait-for', 'cluster', ...roleFlags(lab)];
  const roles = (index: number) =>
    index < servers ? ['server', '--with-client', '--expect', String(servers)] : ['client'];
  const before = nodes.map(node => node.processorSeconds());
  const startedAt = performance.now();
  await Promise.all(nodes.map((node, index) => observe(lab, node, ['nomad-bootstrap', ...roles(index), ...common])));
  const seconds = (performance.now() - startedAt) / 1000;
  const spent = nodes.map((node, index) => node.processorSeconds() - (before[index] ?? 0));
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const size = nodes.length;
  return {
    [`ours.cluster-${size}.healthy`]: seconds,
    [`ours.cluster-${size}.cpu`]: mean(spent),
    [`ours.cluster-${size}.cpu-servers`]: mean(spent.slice(0, servers)),
    ...(size > servers ? { [`ours.cluster-${size}.cpu-clients`]: mean(spent.slice(servers)) } : {}),
  };
}
