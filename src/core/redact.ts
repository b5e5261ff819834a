import { hidden, type Secret } from './secret.ts';

/** Takes registered secrets, and whatever looks like a cluster's token, out of everything that is shown or logged. */
export interface Redactor {
  /** From now on no form of this secret passes. An empty secret is ignored. */
  add(secret: Secret): void;
  /** The text with every form of every secret replaced by `[hidden]`; the same text when there is none. */
  text(text: string): string;
  /** The same for every string, key or value, within plain data. */
  data<T>(data: T): T;
}

/** A cluster's token, also one that was given in the place of a file's name or an address, and is known to nobody as a secret. */
const tokenForm = 'nb(?:server|client)\\d+\\.[\\w.-]{8,}';

/**
 * A redactor that knows each secret as it is, in base64 and base64url (also in the midst of a longer encoded text), URL-
 * encoded and escaped for JSON; and the lines of a secret of several lines one by one, since a diff or an indented
 * output takes them apart. A secret cut in two by others, or in an encoding not named here, is not recognised.
 */
export function createRedactor(secrets: readonly Secret[] = []): Redactor {
  const known = new Set<string>();
  let pattern = new RegExp(tokenForm, 'g');
  for (const secret of secrets) add(secret);
  return { add, text, data };

  function add(secret: Secret): void {
    for (const form of formsOf(secret.reveal())) known.add(form);
    // The longest first: a form that contains another must win, or its rest would stay.
    const forms = [...known].sort((a, b) => b.length - a.length);
    pattern = new RegExp([...forms.map(literal), tokenForm].join('|'), 'g');
  }

  function text(text: string): string {
    return text.replace(pattern, hidden);
  }

  function data<T>(value: T): T {
    return redacted(value) as T;
  }

  function redacted(value: unknown): unknown {
    if (typeof value === 'string') return text(value);
    if (Array.isArray(value)) return value.map(redacted);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [text(key), redacted(item)]));
  }
}

/** Shorter lines of a secret, and the markers of PEM, say nothing by themselves and occur elsewhere. */
const shortestLine = 8;
const pemMarker = '-----';

function literal(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}

function formsOf(value: string): readonly string[] {
  const lines = value.split(/\r?\n/).map(line => line.trim());
  const tellingLines = lines.filter(line => line.length >= shortestLine && !line.startsWith(pemMarker));
  const plain = lines.length > 1 ? [value, ...tellingLines] : [value];
  const base64 = plain.flatMap(base64Forms);
  const base64url = base64.map(form => form.replaceAll('+', '-').replaceAll('/', '_'));
  const url = plain.map(form => encodeURIComponent(form.toWellFormed()));

  return [
    ...plain,
    ...plain.map(form => JSON.stringify(form).slice(1, -1)),
    ...url,
    ...url.map(form => form.replace(/%[0-9A-F]{2}/g, octet => octet.toLowerCase())),
    ...url.map(form => form.replaceAll('%20', '+')),
    ...base64,
    ...base64url,
    ...base64url.map(form => form.replaceAll('=', '')),
  ].filter(form => form !== '');
}

/**
 * The whole encoding, and for each of the three offsets at which the secret can lie within a longer text (`user:secret`),
 * the characters that depend on the secret alone.
 */
function base64Forms(value: string): readonly string[] {
  const bytes = Buffer.from(value);
  const within = [0, 1, 2].map(offset => {
    const encoded = Buffer.concat([Buffer.alloc(offset), bytes])
      .toString('base64')
      .replaceAll('=', '');
    const first = Math.ceil((offset * 4) / 3);
    const last = Math.floor(((offset + bytes.length) * 4) / 3);
    return encoded.slice(first, last);
  });
  return [bytes.toString('base64'), ...within.filter(form => form.length >= shortestLine)];
}
