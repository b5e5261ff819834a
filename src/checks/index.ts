import { acls } from './acls.ts';
import { bootEnabled } from './boot-enabled.ts';
import { bridgeSysctls } from './bridge-sysctls.ts';
import { certificates } from './certificates.ts';
import { cgroups } from './cgroups.ts';
import { clusterAddress } from './cluster-address.ts';
import { cniPlugins } from './cni-plugins.ts';
import { configAccepted } from './config-accepted.ts';
import { consulAgent } from './consul-agent.ts';
import { consulAutopilot } from './consul-autopilot.ts';
import { consulLeader } from './consul-leader.ts';
import { consulMembers } from './consul-members.ts';
import { consulServers } from './consul-servers.ts';
import { diskSpace } from './disk-space.ts';
import { docker } from './docker.ts';
import { gossipEncryption } from './gossip-encryption.ts';
import type { HealthCheck } from './health-check.ts';
import { kernelBridge } from './kernel-bridge.ts';
import { metadataShielded } from './metadata-shielded.ts';
import { nomadAdvertise } from './nomad-advertise.ts';
import { nomadAgent } from './nomad-agent.ts';
import { nomadAutopilot } from './nomad-autopilot.ts';
import { nomadClientBridge } from './nomad-client-bridge.ts';
import { nomadClientDrivers } from './nomad-client-drivers.ts';
import { nomadClientReady } from './nomad-client-ready.ts';
import { nomadInConsul } from './nomad-in-consul.ts';
import { nomadLeader } from './nomad-leader.ts';
import { nomadMembers } from './nomad-members.ts';
import { osSupported } from './os-supported.ts';
import { packagesHeld } from './packages-held.ts';
import { portsExposed } from './ports-exposed.ts';
import { secretsPermissions } from './secrets-permissions.ts';
import { sysctlsPersist } from './sysctls-persist.ts';
import { timeSync } from './time-sync.ts';
import { tlsRoles } from './tls-roles.ts';
import { versionsAgree } from './versions-agree.ts';
import { workloadIdentity } from './workload-identity.ts';

/**
 * What a healthy node is, in the order of the report: the node, then the cluster as the node sees it. A check comes
 * after those that it needs. `verify` asks about drift as well (config-drift.ts) and, on demand, runs a job (canary.ts).
 */
export const healthChecks: readonly HealthCheck[] = [
  osSupported,
  kernelBridge,
  bridgeSysctls,
  sysctlsPersist,
  cgroups,
  diskSpace,
  timeSync,
  packagesHeld,
  bootEnabled,
  configAccepted,
  cniPlugins,
  docker,
  clusterAddress,
  portsExposed,
  certificates,
  secretsPermissions,
  metadataShielded,
  consulAgent,
  consulLeader,
  consulMembers,
  consulServers,
  consulAutopilot,
  nomadAgent,
  nomadAdvertise,
  nomadLeader,
  nomadMembers,
  nomadAutopilot,
  nomadClientReady,
  nomadClientDrivers,
  nomadClientBridge,
  nomadInConsul,
  versionsAgree,
  tlsRoles,
  gossipEncryption,
  acls,
  workloadIdentity,
];
