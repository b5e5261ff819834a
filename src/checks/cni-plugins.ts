import * as z from 'zod';
import { digestsOf } from '../core/digests.ts';
import { fail, type HealthCheck, onClients, pass } from './health-check.ts';

const directory = '/opt/cni/bin';
/** Written when the archive was unpacked: what every file was. */
const record = '/var/lib/nomad-bootstrap/cni-plugins.json';

const recordSchema = z.object({ sha256: z.string(), files: z.record(z.string(), z.string()) });

export const cniPlugins: HealthCheck = {
  id: 'cni-plugins',
  title: 'The CNI plugins are complete and untouched',
  scope: 'node',
  appliesTo: onClients,
  async run(host, { resolution }) {
    const hint = 'run nomad-bootstrap again: it unpacks the verified archive anew, and running jobs are left alone';
    const text = await host.readText(record);
    if (text === undefined) return fail(`there is no record of them (${record})`, hint);
    const recorded = recordSchema.safeParse(parse(text));
    if (!recorded.success) return fail(`their record cannot be read (${record})`, hint);
    if (recorded.data.sha256 !== resolution.cni.sha256) {
      return fail(`not the archive of version ${resolution.cni.version}`, hint);
    }

    const files = Object.entries(recorded.data.files);
    // The same question as config-drift's, so that one reading serves both.
    const digests = await digestsOf(
      host,
      files.map(([name]) => `${directory}/${name}`),
    );
    const faults = files.flatMap(([name, digest]) => {
      const found = digests.get(`${directory}/${name}`);
      if (found === undefined) return [`${name} is missing`];
      return found === digest ? [] : [`${name} is damaged`];
    });
    if (faults.length > 0) return fail(faults.join(', '), hint);
    return pass(`version ${resolution.cni.version}, ${files.length} files`);
  },
};

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
