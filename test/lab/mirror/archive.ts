import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, renameSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { runCommand } from '../commands.ts';
import { type Answer, fileAnswer, type Question, textAnswer } from './answers.ts';
import type { MirrorSettings } from './types.ts';

/** Indexes are asked for again after this long; packages and by-hash files never change. */
const freshMs = 6 * 3600 * 1000;

/**
 * The distribution's archive, passed through and kept. What is not in the cache is fetched with this machine's own apt, in
 * this machine's network (`outside` is a network namespace's path), so nodes get what its sources give and nothing else.
 */
export function archiveSite(
  settings: MirrorSettings['archive'],
  outside: string,
): (question: Question) => Promise<Answer> {
  const upstreams: Readonly<Record<string, string>> = { debian: settings.main, 'debian-security': settings.security };
  const underWay = new Map<string, Promise<number>>();

  const fetchFile = async (file: string, url: string): Promise<number> => {
    mkdirSync(path.dirname(file), { recursive: true });
    const staging = `${file}.${randomBytes(4).toString('hex')}.part`;
    const apt = ['/usr/lib/apt/apt-helper', '-o', 'APT::Sandbox::User=root', 'download-file', url, staging];
    const result = await runCommand(['nsenter', `--net=${outside}`, ...apt], { check: false, timeoutMs: 300_000 });
    if (result.exitCode === 0) {
      renameSync(staging, file);
      return 200;
    }
    rmSync(staging, { force: true });
    return /\b404\b/.test(`${result.stdout}${result.stderr}`) ? 404 : 502;
  };

  return async question => {
    const [, folder = '', ...rest] = question.path.split('/');
    const upstream = upstreams[folder];
    if (upstream === undefined || rest.join('') === '') return textAnswer(404, 'Not Found\n');
    const file = path.join(settings.cache, question.path);
    if (!isFresh(file)) {
      const fetching = underWay.get(file) ?? fetchFile(file, `${upstream}/${rest.join('/')}`);
      underWay.set(file, fetching);
      const status = await fetching.finally(() => underWay.delete(file));
      if (status === 404) return textAnswer(404, 'Not Found\n');
      if (status !== 200 && !existsSync(file)) return textAnswer(502, 'The archive behind the lab does not answer.\n');
    }
    return fileAnswer([settings.cache], question);
  };
}

function isFresh(file: string): boolean {
  const stat = statSync(file, { throwIfNoEntry: false });
  if (!stat?.isFile()) return false;
  const fixed = file.includes('/pool/') || file.includes('/by-hash/');
  // The change time is when it came here; the modification time is the archive's.
  return fixed || Date.now() - stat.ctimeMs < freshMs;
}
