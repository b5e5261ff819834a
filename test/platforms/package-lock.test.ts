import { expect, test } from 'vitest';
import { lockHolder } from '../../src/platforms/package-lock.ts';
import { fixtureHost } from '../support/fixture-host.ts';

const command = 'lslocks --raw --noheadings --notruncate --output PID,MODE,COMMAND,PATH';
const lock = '/var/lib/dpkg/lock-frontend';
const holderOf = (output: { stdout?: string; exitCode?: number }) =>
  lockHolder(fixtureHost({ commands: { [command]: output } }), [lock]);

test('whoever holds the lock is found among all locks of the machine', async () => {
  const stdout = `1 WRITE systemd /run/x\n812 WRITE apt\\x20get ${lock}\n`;
  expect(await holderOf({ stdout })).toEqual({ process: 'apt get', pid: 812, path: lock });
});

test('whoever waits for the lock does not hold it', async () => {
  expect(await holderOf({ stdout: `900 WRITE* apt-get ${lock}\n` })).toBeUndefined();
});

test('a machine that cannot list its locks is left to its package manager', async () => {
  expect(await holderOf({ exitCode: 127 })).toBeUndefined();
});
