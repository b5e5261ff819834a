import { BootstrapError, hasCode } from '../core/errors.ts';
import type { Secret } from '../core/secret.ts';
import type { Host } from '../core/types.ts';
import { readUnit } from '../core/unit.ts';

/** Where the state of a cluster is kept that an upgrade is to go on from. It holds the cluster's secrets: for root alone. */
export const snapshotFolder = '/var/lib/nomad-bootstrap/snapshots';

/** How the state of a server's cluster is had. */
export interface SnapshotSpec {
  readonly name: 'consul' | 'nomad';
  /** The program that writes it to a file, which follows, and checks it. */
  readonly save: readonly string[];
  /** How that program is told who asks; absent without access control. */
  readonly token?: { readonly variable: string; readonly value: Secret } | undefined;
}

/** How many are kept of each agent. */
const kept = 3;
const saveTimeoutMs = 10 * 60_000;
const root = { mode: 0o700, owner: 'root:root' };

/**
 * Puts the cluster's state into a file of its own, named after the version that it is of; older ones go, but for the last three. What
 * does not run is not asked. Throws `snapshot-failed`.
 */
export async function saveState(host: Host, spec: SnapshotSpec, version: string): Promise<void> {
  if ((await readUnit(host, spec.name)).activeState !== 'active') return;
  const path = `${snapshotFolder}/${fileName(spec.name, version, host.now())}`;
  // It gets its name once it is whole.
  const half = `${path}.half`;
  await host.makeDirectory(snapshotFolder, root);
  for (const file of (await host.list(snapshotFolder)) ?? []) {
    if (!file.endsWith('.snap')) await host.remove(`${snapshotFolder}/${file}`);
  }
  try {
    await host.run([...spec.save, half], {
      ...(spec.token === undefined ? {} : { env: { [spec.token.variable]: spec.token.value.reveal() } }),
      timeoutMs: saveTimeoutMs,
    });
  } catch (error) {
    await host.remove(half);
    if (!hasCode(error, 'command-failed')) throw error;
    throw new BootstrapError(
      'snapshot-failed',
      `the state of ${spec.name} could not be saved, so it was not upgraded`,
      {
        hint: `it takes a cluster with a leader, and room in ${snapshotFolder}: ${spec.name} operator autopilot health; to upgrade without, stop it first (systemctl stop ${spec.name}): what does not run is not saved`,
        detail: error.detail,
        cause: error,
      },
    );
  }
  await host.setAttributes(half, { mode: 0o600, owner: 'root:root' });
  await host.replace(half, path);
  const own = ((await host.list(snapshotFolder)) ?? []).filter(file => file.startsWith(`${spec.name}_`));
  for (const file of own.sort((a, b) => takenAt(a).localeCompare(takenAt(b))).slice(0, -kept)) {
    await host.remove(`${snapshotFolder}/${file}`);
  }
}

/** `nomad_2.0.5-1_20261122T120000Z.snap`. */
function fileName(name: string, version: string, at: Date): string {
  return `${name}_${version}_${at.toISOString().replaceAll(/[-:]|\.\d+/g, '')}.snap`;
}

function takenAt(file: string): string {
  return file.split('_')[2] ?? '';
}
