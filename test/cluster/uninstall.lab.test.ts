import { describe, it } from 'vitest';
import { whyNoLab, whyNoRealAgents } from '../lab/lab.ts';
import { leavesBothAsTheyWere } from './uninstallation.ts';

const reason = whyNoLab() ?? whyNoRealAgents();
if (reason !== undefined) process.stderr.write(`skipped: test/cluster/uninstall.lab.test.ts: ${reason}\n`);

// One of each family; uninstall.vm.test.ts has the rest.
describe.skipIf(reason !== undefined)('an uninstallation', () => {
  it.each(['debian13', 'rocky9'] as const)(
    'on %s leaves a server and a client with Docker as they were, data apart',
    leavesBothAsTheyWere,
  );
});
