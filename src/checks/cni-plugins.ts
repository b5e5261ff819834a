import * as z from 'zod';
import { digestsOf } from '../core/digests.ts';
import { fail, type HealthCheck, onClients, pass } from './health-check.ts';

const directory = '/opt/cni/bin';
/** Written when the archive was unpacked: what every file was. */
const record = '/var/lib/nomad-bootstrap/cni-plugins.json';

/** What Nomad's bridge network runs: these are read whole. Of the others it is enough that they are there. */
const needed = ['bridge', 'firewall', 'host-local', 'loopback', 'portmap'];

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

    const { files } = recorded.data;
    const [present = [], digests] = await Promise.all([
      host.list(directory),
      digestsOf(
        host,
        needed.map(name => `${directory}/${name}`),
      ),
    ]);
    const missing = [...new Set([...needed, ...Object.keys(files)])].filter(name => !present.includes(name));
    const damaged = needed.filter(name => {
      const digest = digests.get(`${directory}/${name}`);
      return digest !== undefined && digest !== files[name];
    });
    const faults = [...missing.map(name => `${name} is missing`), ...damaged.map(name => `${name} is damaged`)];
    if (faults.length > 0) return fail(faults.join(', '), hint);
    return pass(`version ${resolution.cni.version}, ${Object.keys(files).length} files`);
  },
};

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
