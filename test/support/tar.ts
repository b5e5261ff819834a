import { gzipSync } from 'node:zlib';

/** An entry of a tar archive as a hostile maker may write it. `type`: the flag of ustar, `0` for a file. */
export interface TarEntry {
  readonly name: string;
  readonly type?: '0' | '1' | '2' | '3' | '5' | '6';
  readonly content?: string;
  readonly linkTarget?: string;
  readonly mode?: number;
}

/** A .tar.gz of exactly these entries. Layout of a header: POSIX.1-1988 ustar. */
export function tarGz(entries: readonly TarEntry[]): Buffer {
  return gzipSync(Buffer.concat([...entries.map(block), Buffer.alloc(1024)]));
}

function block({ name, type = '0', content = '', linkTarget = '', mode = 0o755 }: TarEntry): Buffer {
  const body = Buffer.from(content);
  const header = Buffer.alloc(512);
  const put = (text: string, at: number) => header.write(text, at, 'latin1');
  put(name, 0);
  put(`${octal(mode, 7)}\0${octal(1000, 7)}\0${octal(1000, 7)}\0`, 100);
  put(`${octal(body.length, 11)}\0${octal(0, 11)}\0`, 124);
  put(type, 156);
  put(linkTarget, 157);
  put('ustar\x0000', 257);
  // The checksum is of a header that has blanks in its place.
  put(' '.repeat(8), 148);
  put(
    `${octal(
      header.reduce((sum, byte) => sum + byte, 0),
      6,
    )}\0 `,
    148,
  );
  return Buffer.concat([header, body, Buffer.alloc((512 - (body.length % 512)) % 512)]);
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, '0');
}
