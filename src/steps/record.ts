import { recordPath, renderRecord } from '../config/record.ts';
import type { Step } from '../core/types.ts';
import { directory } from '../resources/directory.ts';
import { file } from '../resources/file.ts';
import { isSecure, type Target } from '../target.ts';

/** Last, so that only a node that came so far is held to what it was. */
export const record: Step<Target> = {
  id: 'record',
  title: 'Settings, recorded for the next run',
  after: [
    ...['kernel', 'packages', 'cni-plugins', 'metadata-shield', 'docker', 'peers', 'firewall'],
    ...['secrets', 'certificate-renewal', 'consul', 'nomad'],
  ],
  resources: target => [
    // Where there is a token its step has made the folder.
    ...(isSecure(target) ? [] : [directory('/etc/nomad-bootstrap', { mode: 0o700, owner: 'root:root' })]),
    file(recordPath, renderRecord(target.config, target.resolution), { mode: 0o600, owner: 'root:root' }),
  ],
};
