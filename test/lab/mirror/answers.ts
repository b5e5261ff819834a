import { createHash } from 'node:crypto';
import { type Stats, statSync } from 'node:fs';
import path from 'node:path';

/** A decided answer: what would be sent if nothing went wrong on the way. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Text, or a file to stream. */
  readonly body: string | { readonly file: string; readonly size: number };
}

/** A request, as far as answers depend on it. */
export interface Question {
  readonly method: string;
  readonly scheme: 'http' | 'https';
  readonly host: string;
  /** Decoded, without the query string, starting with a slash, free of `..`. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly client: string;
}

export function textAnswer(status: number, body: string, headers: Readonly<Record<string, string>> = {}): Answer {
  return { status, headers: { 'content-type': 'text/plain', ...headers }, body };
}

export function redirectAnswer(status: 301 | 302, location: string): Answer {
  return textAnswer(status, '', { location });
}

/** A file of a site, 304 when the client has it already, or 404. The first of `roots` that has it counts. */
export function fileAnswer(roots: readonly string[], question: Question): Answer {
  for (const root of roots) {
    const file = path.join(root, question.path);
    const stat = statSync(file, { throwIfNoEntry: false });
    if (stat?.isFile()) return existingFileAnswer(file, stat, question);
  }
  return textAnswer(404, 'Not Found\n');
}

function existingFileAnswer(file: string, stat: Stats, question: Question): Answer {
  const etag = `"${createHash('sha1').update(`${stat.size} ${stat.mtimeMs}`).digest('hex')}"`;
  const headers = { 'last-modified': stat.mtime.toUTCString(), etag, 'content-type': 'application/octet-stream' };
  const { 'if-none-match': knownTag, 'if-modified-since': knownTime } = question.headers;
  // Exactly, like nginx: a file that a fault replaces may be older.
  if (knownTag === etag || (knownTag === undefined && knownTime === headers['last-modified']))
    return { status: 304, headers, body: '' };
  return { status: 200, headers, body: { file, size: stat.size } };
}
