import { anticipatingDigests } from '../core/digests.ts';
import type { HostReader } from '../core/types.ts';
import { readArchiveRecord } from '../resources/archive.ts';
import { cniDirectory, cniRecord } from '../steps/cni-plugins.ts';

/** The same host, which already reads the CNI plug-ins that were unpacked here, while everything else is still being found out. */
export async function readingPlugins<H extends HostReader>(host: H): Promise<H> {
  const recorded = await readArchiveRecord(host, cniRecord).catch(() => undefined);
  if (recorded === undefined) return host;
  const paths = Object.keys(recorded.files).map(name => `${cniDirectory}/${name}`);
  return anticipatingDigests(host, paths);
}
