import { readFileSync } from 'node:fs';
import { getAsset, isSea } from 'node:sea';

/**
 * The text of a file under templates/ or systemd/, named by its path from the project's root
 * (`templates/nomad-server.hcl.mustache`). The executable carries these files; from source they are read from the disk.
 * Throws when there is no such file.
 */
export function readAsset(path: string): string {
  if (!/^(?:templates|systemd)\/[^./]/.test(path)) throw new Error(`not an asset: ${path}`);
  return isSea() ? getAsset(path, 'utf8') : readFileSync(new URL(`../${path}`, import.meta.url), 'utf8');
}
