import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** PEM of a certificate and of its key. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/** A certificate authority of a day, and a server's certificate of its making. */
export interface Authority {
  readonly ca: string;
  readonly server: Certificate;
}

/** Makes an authority, and a certificate for a server of these subject alternative names (`IP:127.0.0.1`, `DNS:localhost`). */
export function makeAuthority(names: readonly string[], days = 1): Authority {
  const folder = mkdtempSync(join(tmpdir(), 'certificates-'));
  const path = (name: string) => join(folder, name);
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  try {
    openssl([
      'req',
      '-x509',
      ...newKey,
      '-subj',
      '/CN=Test authority',
      '-days',
      '1',
      '-keyout',
      path('ca.key'),
      '-out',
      path('ca'),
    ]);
    openssl(['req', ...newKey, '-subj', '/CN=Test server', '-keyout', path('key'), '-out', path('request')]);
    writeFileSync(path('extensions'), `subjectAltName=${names.join(',')}\n`);
    openssl([
      ...['x509', '-req', '-in', path('request'), '-CA', path('ca'), '-CAkey', path('ca.key'), '-CAcreateserial'],
      ...['-days', String(days), '-extfile', path('extensions'), '-out', path('cert')],
    ]);
    const text = (name: string) => readFileSync(path(name), 'utf8');
    return { ca: text('ca'), server: { cert: text('cert'), key: text('key') } };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function openssl(args: readonly string[]): void {
  execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}
