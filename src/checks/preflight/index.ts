import type { Check } from '../../core/types.ts';
import type { Target } from '../../target.ts';
import { clock } from './clock.ts';
import { dataIsOwn } from './data-is-own.ts';
import { disk } from './disk.ts';
import { dockerEngine } from './docker-engine.ts';
import { foreignAgents } from './foreign-agents.ts';
import { hostname } from './hostname.ts';
import { initSystemd } from './init-systemd.ts';
import { ipv4 } from './ipv4.ts';
import { kernelFeatures } from './kernel-features.ts';
import { linodeApi } from './linode-api.ts';
import { memory } from './memory.ts';
import { nameFree } from './name-free.ts';
import { osSupported } from './os-supported.ts';
import { portsFree } from './ports-free.ts';
import { rootWritable } from './root-writable.ts';
import { vpcSearch } from './vpc-search.ts';

/** What has to hold before any upstream is asked: no certificate is valid at a wrong time. */
export const beforehand: readonly Check<unknown>[] = [clock];

/** What has to hold before anything is changed. One that fails ends the run with `preflight-failed`; a warning is only told. */
export const preflight: readonly Check<Target>[] = [
  osSupported,
  initSystemd,
  rootWritable,
  disk,
  memory,
  ipv4,
  hostname,
  kernelFeatures,
  foreignAgents,
  dockerEngine,
  portsFree,
  nameFree,
  dataIsOwn,
  vpcSearch,
  linodeApi,
];

/** The same for a dry run, which writes nothing and so works on a root that cannot be written to. */
export const dryRunPreflight: readonly Check<Target>[] = preflight.filter(check => check !== rootWritable);
