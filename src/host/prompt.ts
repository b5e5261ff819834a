import { closeSync, openSync, writeSync } from 'node:fs';
import { ReadStream } from 'node:tty';
import { BootstrapError } from '../core/errors.ts';
import { Secret } from '../core/secret.ts';

/**
 * Asks on the terminal, whatever standard input is, and shows nothing of what is typed or pasted. `undefined`: there is no
 * terminal, or nothing was typed. Throws `interrupted` at Ctrl-C.
 */
export async function askSecret(question: string): Promise<Secret | undefined> {
  let descriptor: number;
  try {
    descriptor = openSync('/dev/tty', 'r+');
  } catch {
    return undefined;
  }
  const terminal = new ReadStream(descriptor);
  // Raw: a terminal's own line has room for 4095 characters only, and would echo them.
  terminal.setRawMode(true);
  writeSync(descriptor, question);
  try {
    const typed = await readLine(terminal);
    return typed === '' ? undefined : new Secret(typed);
  } finally {
    terminal.setRawMode(false);
    writeSync(descriptor, '\n');
    terminal.destroy();
    try {
      closeSync(descriptor);
    } catch {
      // The stream has closed it.
    }
  }
}

const interrupt = '\u0003';
const endOfInput = '\u0004';
const erase = new Set(['\u007f', '\b']);

function readLine(terminal: ReadStream): Promise<string> {
  return new Promise((resolve, reject) => {
    let line = '';
    terminal.on('data', (chunk: Uint8Array) => {
      for (const character of new TextDecoder().decode(chunk)) {
        if (character === interrupt) {
          reject(new BootstrapError('interrupted', 'interrupted', { hint: 'nothing was touched' }));
          return;
        }
        if (character === '\r' || character === '\n' || character === endOfInput) {
          resolve(line);
          return;
        }
        line = erase.has(character) ? line.slice(0, -1) : line + character;
      }
    });
    terminal.on('end', () => resolve(line));
    terminal.on('error', reject);
  });
}
