import { spawnSync } from 'node:child_process';

/** Whether this process may do everything to files. */
export const isRoot: boolean = process.getuid?.() === 0;

/** Whether it may also mount file systems, which root in a container often may not. A test that needs it is skipped, and counted. */
export const mayMount: boolean = isRoot && spawnSync('unshare', ['--mount', 'true']).status === 0;
