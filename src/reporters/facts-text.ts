import type { Inspection } from '../core/types.ts';
import type { Facts } from '../facts/facts.ts';

/** Facts as JSON data, the same keys on every machine: what is not known or does not apply is `null`. See docs/facts.md. */
export type FactsDocument = Omit<Facts, 'architecture' | 'linode'> & {
  readonly architecture: Facts['architecture'] | null;
  readonly linode: Facts['linode'] | null;
  readonly hardware: Pick<Inspection, 'manufacturer' | 'model' | 'fileSystems'> | null;
};

/** The document of `facts --json`. */
export function factsDocument(facts: Facts, inspection?: Inspection): FactsDocument {
  const { architecture = null, linode = null, ...always } = facts;
  return {
    ...always,
    architecture,
    linode,
    hardware:
      inspection === undefined
        ? null
        : {
            manufacturer: inspection.manufacturer,
            model: inspection.model,
            fileSystems: inspection.fileSystems,
          },
  };
}

/** Facts for people: a line each, the best address to cluster on first, ending with a line break. */
export function renderFacts(facts: Facts, inspection?: Inspection): string {
  const { candidates, cgroups, disk, kernel } = facts;
  const rows: readonly (readonly [string, ...string[]])[] = [
    [
      'system',
      `${facts.os.prettyName}, ${facts.architecture ?? `${facts.machine}, which the agents are not built for`}`,
    ],
    ['host name', facts.hostname],
    ...(inspection === undefined ? [] : [['hardware', hardware(inspection)] as const]),
    ['Linode', linode(facts.linode)],
    ['kernel', kernel.release, bridging(kernel)],
    ['cgroups', cgroups.version === 'none' ? 'none' : `version ${cgroups.version}: ${cgroups.controllers.join(' ')}`],
    ['processors', `${facts.cpuCount}`],
    ['memory', `${facts.memoryMiB} MiB, and ${facts.swapMiB} MiB of swap`],
    ['disk', `${disk.availableMiB} of ${disk.sizeMiB} MiB available on /`],
    ['init', facts.init === 'systemd' ? 'systemd' : 'not systemd'],
    ['SELinux', facts.selinux],
    ['firewall', facts.firewall],
    ['installed', installed(facts.installed)],
    ['addresses', ...(candidates.length === 0 ? ['none to cluster on'] : table(candidates.map(candidateColumns)))],
  ];
  const width = Math.max(...rows.map(([label]) => label.length));
  return rows
    .flatMap(([label, ...lines]) =>
      lines.map((line, index) => `${(index === 0 ? label : '').padEnd(width)}  ${line}\n`),
    )
    .join('');
}

function hardware({ manufacturer, model }: Inspection): string {
  return [manufacturer, model].filter(Boolean).join(' ') || 'unknown';
}

function linode(identity: Facts['linode']): string {
  if (identity === undefined) return 'no';
  const { id, label, region, tags, source } = identity;
  if (source === 'none') return `yes${id === undefined ? '' : `, ${id}`}; its metadata service does not answer`;
  const origin = source === 'metadata' ? 'its metadata service' : 'what cloud-init kept';
  return [
    `${label ?? 'without a label'} (${id ?? 'id unknown'}) in ${region}`,
    tags.length === 0 ? 'no tags' : `tags ${tags.join(' ')}`,
    `from ${origin}`,
  ].join(', ');
}

function bridging({ bridge, brNetfilter, hasModules }: Facts['kernel']): string {
  const missing = hasModules ? 'not loaded' : 'missing, and no modules to load';
  return `bridge ${bridge ? 'there' : missing}, br_netfilter ${brNetfilter ? 'there' : missing}`;
}

function installed({ nomad, consul, docker }: Facts['installed']): string {
  const known = Object.entries({ nomad, consul, docker }).filter(([, version]) => version !== undefined);
  return known.map(([name, version]) => `${name} ${version}`).join(', ') || 'no agents, no Docker';
}

function candidateColumns(candidate: Facts['candidates'][number]): readonly string[] {
  return [candidate.kind, candidate.interface, `${candidate.address}/${candidate.prefixLength}`];
}

function table(lines: readonly (readonly string[])[]): readonly string[] {
  const widthOf = (column: number) => Math.max(...lines.map(line => line[column]?.length ?? 0));
  return lines.map(line =>
    line
      .map((cell, column) => cell.padEnd(widthOf(column)))
      .join('  ')
      .trimEnd(),
  );
}
