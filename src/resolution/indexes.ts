/** Reads the indexes of APT and DNF repositories. They are several MB, so they are searched rather than parsed. */
import { promisify } from 'node:util';
import { gunzip, zstdDecompress } from 'node:zlib';
import { BootstrapError } from '../core/errors.ts';

/** One version of a package in a repository's index. */
export interface IndexedPackage {
  readonly name: string;
  /** As the package manager wants it: `2.0.7-1`. */
  readonly packageVersion: string;
}

/**
 * The text of an index, whose compression the ending of its address tells. A cut or damaged one is `checksum-mismatch`;
 * a compression that Node cannot read is `upstream-refused`.
 */
export async function decompress(url: string, body: Uint8Array): Promise<string> {
  const ending = /\.(?<ending>[a-z0-9]+)$/.exec(url)?.groups?.['ending'] ?? '';
  try {
    switch (ending) {
      case 'gz':
        return (await promisify(gunzip)(body)).toString();
      case 'zst':
        return (await promisify(zstdDecompress)(body)).toString();
      case 'xml':
        return new TextDecoder().decode(body);
    }
  } catch (cause) {
    throw new BootstrapError('checksum-mismatch', `${url} is cut off or damaged`, {
      hint: 'try again; if it stays so, the upstream or a proxy in between is at fault: name a mirror with --mirror URL',
      cause,
    });
  }
  throw new BootstrapError('upstream-refused', `${url} is compressed as .${ending}, which cannot be read`, {
    hint: 'let the mirror compress its index with gzip or zstd (createrepo_c --general-compress-type=gz)',
  });
}

/** Versions of `names` in the text of an APT `Packages` file. */
export function searchAptIndex(text: string, names: readonly string[]): readonly IndexedPackage[] {
  const stanzas = `\n${text}`;
  return names.flatMap(name =>
    sections(stanzas, `\nPackage: ${name}\n`, '\n\n').flatMap(stanza => {
      const version = /^Version: *(?<version>\S+)/m.exec(stanza)?.groups?.['version'];
      return version === undefined ? [] : [{ name, packageVersion: version }];
    }),
  );
}

/** Where the list of packages lies, below the repository's base, by the text of its repomd.xml. */
export function primaryLocation(repomd: string): string | undefined {
  const entry = /<data type="primary">(?<entry>[\s\S]*?)<\/data>/.exec(repomd)?.groups?.['entry'] ?? '';
  return /<location\b[^>]*\bhref="(?<href>[^"]+)"/.exec(entry)?.groups?.['href'];
}

/** Versions of `names` for an architecture (`x86_64`) in the text of a DNF repository's primary.xml. */
export function searchDnfIndex(text: string, names: readonly string[], arch: string): readonly IndexedPackage[] {
  return names.flatMap(name =>
    sections(text, `<name>${name}</name>`, '</package>').flatMap(entry => {
      const version = /<version\b[^>]*\bver="(?<ver>[^"]+)"[^>]*\brel="(?<rel>[^"]+)"/.exec(entry)?.groups;
      if (version === undefined || !entry.includes(`<arch>${arch}</arch>`)) return [];
      return [{ name, packageVersion: `${version['ver']}-${version['rel']}` }];
    }),
  );
}

/** Every part of `text` that begins with `start`, up to the next `end`. */
function sections(text: string, start: string, end: string): readonly string[] {
  const found: string[] = [];
  for (let at = text.indexOf(start); at !== -1; at = text.indexOf(start, at + 1)) {
    const stop = text.indexOf(end, at + 1);
    found.push(text.slice(at, stop === -1 ? undefined : stop));
  }
  return found;
}
