import type { OsRelease } from './facts.ts';

/**
 * Reads /etc/os-release. The last of duplicate keys counts; lines that are no assignment are passed over. A file that is
 * empty or missing (`undefined`) gives ID `linux`, as os-release(5) wants it.
 */
export function parseOsRelease(text: string | undefined): OsRelease {
  const values = new Map<string, string>();
  for (const line of (text ?? '').split(/\r?\n/)) {
    const [, key, value] = /^\s*([A-Z][A-Z0-9_]*)=(.*?)\s*$/.exec(line) ?? [];
    if (key !== undefined && value !== undefined) values.set(key, unquote(value));
  }
  const read = (key: string) => values.get(key) ?? '';
  const identifier = (key: string) => read(key).toLowerCase();
  return {
    id: identifier('ID') || 'linux',
    idLike: identifier('ID_LIKE').split(/\s+/).filter(Boolean),
    versionId: identifier('VERSION_ID'),
    codename: identifier('VERSION_CODENAME'),
    baseCodename: identifier('UBUNTU_CODENAME') || identifier('DEBIAN_CODENAME'),
    prettyName: read('PRETTY_NAME') || read('NAME') || 'Linux',
  };
}

/** Takes away shell quoting: os-release(5) allows one pair of quotes, and a backslash before `$ " ' \\` and the backtick. */
function unquote(value: string): string {
  const [, single] = /^'([^']*)'?/.exec(value) ?? [];
  if (single !== undefined) return single;
  const [, double] = /^"((?:[^"\\]|\\.)*)"?/.exec(value) ?? [];
  return (double ?? value).replace(/\\([\\"'$`])/g, '$1');
}
