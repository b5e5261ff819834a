import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { runCommand } from '../commands.ts';

/** A package of the lab, in the terms that deb and rpm share. */
export interface PackageSpec {
  readonly name: string;
  /** Without the revision: 2.0.5. */
  readonly version: string;
  /** Debian revision, rpm release: 1, or `1~debian.12~bookworm`. */
  readonly revision: string;
  /** Debian epoch and rpm Epoch. Default: none. */
  readonly epoch?: number;
  readonly summary: string;
  /** Dependency expressions in the target format's own syntax. */
  readonly depends?: readonly string[];
  readonly recommends?: readonly string[];
  readonly provides?: readonly string[];
  readonly conflicts?: readonly string[];
  /** Paths that belong to the administrator once they are installed. */
  readonly configurationFiles?: readonly string[];
  /** Shell scripts, each with its interpreter line: preinst, postinst, prerm, postrm. */
  readonly scripts?: Readonly<Partial<Record<'preinst' | 'postinst' | 'prerm' | 'postrm', string>>>;
}

/**
 * Builds one deb per spec from the same content, a directory that looks like the root of a file system.
 * The content is compressed once: specs that differ in the version only are cheap. Gives the files' names, in order.
 */
export async function buildDebs(
  specs: readonly PackageSpec[],
  content: string,
  into: string,
): Promise<readonly string[]> {
  const work = path.join(into, '.deb-work');
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work, { recursive: true });
  const reproducible = ['--owner=0', '--group=0', '--numeric-owner', '--sort=name', '--mtime=@1700000000'];
  const tar = ['tar', ...reproducible, '--use-compress-program=gzip -3', '-cf']; // faster to make, little larger
  await runCommand([...tar, path.join(work, 'data.tar.gz'), '-C', content, '.']);
  const size = (await runCommand(['du', '-sk', content])).stdout.split('\t')[0] ?? '0';
  writeFileSync(path.join(work, 'debian-binary'), '2.0\n');
  const files: string[] = [];
  for (const spec of specs) {
    const control = path.join(work, 'control');
    rmSync(control, { recursive: true, force: true });
    mkdirSync(control);
    writeFileSync(path.join(control, 'control'), controlFile(spec, size));
    if (spec.configurationFiles?.length)
      writeFileSync(path.join(control, 'conffiles'), `${spec.configurationFiles.join('\n')}\n`);
    for (const [name, script] of Object.entries(spec.scripts ?? {})) {
      writeFileSync(path.join(control, name), script, { mode: 0o755 });
    }
    await runCommand([...tar, path.join(work, 'control.tar.gz'), '-C', control, '.']);
    // apt replaces the epoch's colon in file names, and so do archives.
    const file = path.join(into, `${spec.name}_${spec.version}-${spec.revision}_amd64.deb`);
    rmSync(file, { force: true });
    await runCommand(['ar', 'rc', file, 'debian-binary', 'control.tar.gz', 'data.tar.gz'], { cwd: work });
    files.push(file);
  }
  rmSync(work, { recursive: true });
  return files;
}

function controlFile(spec: PackageSpec, sizeKiB: string): string {
  const epoch = spec.epoch === undefined ? '' : `${spec.epoch}:`;
  const list = (name: string, values: readonly string[] | undefined) =>
    values?.length ? [`${name}: ${values.join(', ')}`] : [];
  return [
    `Package: ${spec.name}`,
    `Version: ${epoch}${spec.version}-${spec.revision}`,
    'Architecture: amd64',
    'Maintainer: nomad-bootstrap lab <lab@lab.invalid>',
    `Installed-Size: ${sizeKiB}`,
    ...list('Depends', spec.depends),
    ...list('Recommends', spec.recommends),
    ...list('Provides', spec.provides),
    ...list('Conflicts', spec.conflicts),
    'Section: default',
    'Priority: optional',
    `Description: ${spec.summary}`,
    '',
  ].join('\n');
}
