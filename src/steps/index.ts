import type { Step } from '../core/types.ts';
import type { Target } from '../target.ts';
import { certificateRenewal } from './certificate-renewal.ts';
import { cniPlugins } from './cni-plugins.ts';
import { consul } from './consul.ts';
import { clientAccess, consulAccess } from './consul-access.ts';
import { docker } from './docker.ts';
import { firewall } from './firewall.ts';
import { kernel } from './kernel.ts';
import { metadataShield } from './metadata-shield.ts';
import { nomad } from './nomad.ts';
import { nomadAccess } from './nomad-access.ts';
import { packages } from './packages.ts';
import { peers } from './peers.ts';
import { record } from './record.ts';
import { repositories } from './repositories.ts';
import { secrets } from './secrets.ts';
import { workloadIdentity } from './workload-identity.ts';

/** The order of a bootstrap. Reading this list is reading what the tool does. */
export const steps: readonly Step<Target>[] = [
  kernel,
  repositories,
  packages,
  cniPlugins,
  metadataShield,
  docker,
  peers,
  firewall,
  secrets,
  certificateRenewal,
  consul,
  nomad,
  record,
];

/**
 * What needs a leader: access control and workload identity, in a cluster with a token. Every server makes them the same, and
 * whichever comes first does.
 */
export const clusterSteps: readonly Step<Target>[] = [consulAccess, nomadAccess, clientAccess, workloadIdentity];
