import type { Step } from '../core/types.ts';
import { archive } from '../resources/archive.ts';
import { directory } from '../resources/directory.ts';
import { mayRunJobs, type Target } from '../target.ts';

/** Where Nomad looks for them. */
export const cniDirectory = '/opt/cni/bin';

/** Digests of the plug-ins that were unpacked. */
export const cniRecord = '/var/lib/nomad-bootstrap/cni-plugins.json';

/** Nothing else touches its folder. Where apt tells when it has downloaded, theirs comes last, while packages are unpacked: the line is the narrowest place of a fresh client. */
export const cniPlugins: Step<Target> = {
  id: 'cni-plugins',
  title: 'CNI plug-ins',
  after: [],
  appliesTo: mayRunJobs,
  resources: ({ resolution }) => [
    directory('/opt/cni', { mode: 0o755, owner: 'root:root' }),
    directory(cniDirectory, { mode: 0o755, owner: 'root:root' }),
    directory('/opt/cni/config', { mode: 0o755, owner: 'root:root' }),
    archive(resolution.cni, cniDirectory, cniRecord, 'packages/downloads'),
  ],
};
