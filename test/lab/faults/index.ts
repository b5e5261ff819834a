import type { BootstrapFault } from './bootstrap-fault.ts';
import { nodeFaults } from './node-faults.ts';
import { processFaults } from './process-faults.ts';
import { upstreamFaults } from './upstream-faults.ts';

export type { BootstrapFault } from './bootstrap-fault.ts';

/** The catalogue, in the order of the report. */
export const faultGroups: readonly { readonly title: string; readonly faults: readonly BootstrapFault[] }[] = [
  { title: 'Upstreams, and what lies between', faults: upstreamFaults },
  { title: 'The machine', faults: nodeFaults },
  { title: 'The process', faults: processFaults },
];
