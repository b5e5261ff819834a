import { lstatSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { runCommand } from '../commands.ts';
import type { KeyName, SigningKeys } from '../keys.ts';
import type { PackageSpec } from './build-deb.ts';

/** The rpm scriptlet of each of deb's maintainer scripts. */
const scriptlets = { preinst: '%pre', postinst: '%post', prerm: '%preun', postrm: '%postun' } as const;

/** Builds an unsigned rpm from a directory that looks like the root of a file system; gives its file name. */
export async function buildRpm(spec: PackageSpec, content: string, into: string): Promise<string> {
  const work = path.join(into, '.rpm-work');
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work, { recursive: true });
  const name = `${spec.name}-${spec.version}-${spec.revision}.x86_64.rpm`;
  const specFile = path.join(work, `${spec.name}.spec`);
  writeFileSync(specFile, renderSpec(spec, content));
  const defines = {
    _topdir: work,
    _rpmdir: into,
    _rpmfilename: name,
    _binary_payload: 'w3.zstdio',
    _build_id_links: 'none',
  };
  await runCommand([
    ...['rpmbuild', '--quiet', '-bb', '--target', 'x86_64-linux'],
    ...Object.entries(defines).flatMap(([key, value]) => ['--define', `${key} ${value}`]),
    specFile,
  ]);
  rmSync(work, { recursive: true });
  return path.join(into, name);
}

/** Signs rpms in place. */
export async function signRpms(files: readonly string[], keys: SigningKeys, key: KeyName): Promise<void> {
  const env = { ...process.env, GNUPGHOME: keys.home } as Record<string, string>;
  const defines = ['--define', `_gpg_name ${keys.fingerprints[key]}`, '--define', '__gpg /usr/bin/gpg'];
  await runCommand(['rpmsign', ...defines, '--addsign', ...files], { env });
}

/** Writes the repodata of a folder of rpms. */
export async function indexRpmRepository(folder: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  await runCommand(['createrepo_c', '--quiet', '--simple-md-filenames', folder]);
}

function renderSpec(spec: PackageSpec, content: string): string {
  const list = (tag: string, values: readonly string[] | undefined) => (values ?? []).map(value => `${tag}: ${value}`);
  const configuration = new Set(spec.configurationFiles);
  const files = contentPaths(content).map(({ name, directory, mode }) => {
    const kind = directory ? '%dir ' : configuration.has(name) ? '%config(noreplace) ' : '';
    return `${kind}%attr(${mode === undefined ? '-' : mode.toString(8)}, root, root) "${name}"`;
  });
  const scripts = Object.entries(spec.scripts ?? {}).map(([name, script]) => {
    return `${scriptlets[name as keyof typeof scriptlets]} -p /bin/bash\n${script}`;
  });
  return [
    '%global debug_package %{nil}',
    '%global __os_install_post %{nil}',
    `Name: ${spec.name}`,
    `Version: ${spec.version}`,
    `Release: ${spec.revision}`,
    ...(spec.epoch === undefined ? [] : [`Epoch: ${spec.epoch}`]),
    `Summary: ${spec.summary}`,
    'License: see the documentation',
    'AutoReqProv: no',
    ...list('Requires', spec.depends),
    ...list('Recommends', spec.recommends),
    ...list('Provides', spec.provides),
    ...list('Conflicts', spec.conflicts),
    '%description',
    spec.summary,
    '%install',
    `cp -a ${content}/. %{buildroot}/`,
    ...scripts,
    '%files',
    ...files,
    '',
  ].join('\n');
}

interface ContentPath {
  readonly name: string;
  readonly directory: boolean;
  readonly mode: number | undefined;
}

/** Files, links and empty directories; the folders on the way belong to the system. */
function contentPaths(content: string, folder = '/'): readonly ContentPath[] {
  return readdirSync(path.join(content, folder)).flatMap(entry => {
    const name = path.join(folder, entry);
    const stat = lstatSync(path.join(content, name));
    const mode = stat.isSymbolicLink() ? undefined : stat.mode & 0o7777;
    if (!stat.isDirectory()) return [{ name, directory: false, mode }];
    const below = contentPaths(content, name);
    return below.length > 0 ? below : [{ name, directory: true, mode }];
  });
}
