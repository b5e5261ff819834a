import type { Step } from '../core/types.ts';
import type { Target } from '../target.ts';
import { cniPlugins } from './cni-plugins.ts';
import { consul } from './consul.ts';
import { docker } from './docker.ts';
import { kernel } from './kernel.ts';
import { nomad } from './nomad.ts';
import { packages } from './packages.ts';
import { peers } from './peers.ts';
import { record } from './record.ts';
import { repositories } from './repositories.ts';

/** The order of a bootstrap. Reading this list is reading what the tool does. */
export const steps: readonly Step<Target>[] = [
  kernel,
  repositories,
  packages,
  cniPlugins,
  docker,
  peers,
  consul,
  nomad,
  record,
];
