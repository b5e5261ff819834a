import { expect, test } from 'vitest';
import { parseOsRelease } from '../../src/facts/os-release.ts';
import { platformFor, unsupportedReason } from '../../src/platforms/index.ts';
import { factsOf, hostNames } from '../support/hosts.ts';

const refused: Readonly<Record<string, string>> = {
  'alpine-3.23': 'not of the Debian or the Red Hat family',
  'amazon-2023': 'is not supported',
  arch: 'not of the Debian or the Red Hat family',
  'centos-7': 'is not supported',
  'debian-11': 'is not supported',
  'debian-12-i686': 'no agents for the architecture i686',
  'opensuse-leap-15.6': 'not of the Debian or the Red Hat family',
  'ubuntu-20.04': 'is not supported',
};

test.each(hostNames.filter(name => refused[name] === undefined))('%s can be bootstrapped', async name => {
  const facts = await factsOf(name);
  const debianLike = ['debian', 'ubuntu', 'linuxmint'].includes(facts.os.id);
  expect(unsupportedReason(facts)).toBeUndefined();
  expect(platformFor(facts.os).id).toBe(debianLike ? 'debian' : 'redhat');
});

test.each(Object.entries(refused))('%s is refused: %s', async (name, reason) => {
  expect(unsupportedReason(await factsOf(name))).toContain(reason);
});

test('a machine without systemd is refused', async () => {
  const facts = await factsOf('debian-12');
  expect(unsupportedReason({ ...facts, init: 'other' })).toContain('systemd');
});

test('asking for the platform of a foreign system ends with what is supported', async () => {
  const { os } = await factsOf('arch');
  expect(() => platformFor(os)).toThrow(
    expect.objectContaining({ code: 'unsupported-os', hint: expect.stringContaining('Debian 12 and 13') }),
  );
});

test.each([
  [
    'an interim Ubuntu',
    'ID=ubuntu\nID_LIKE=debian\nVERSION_ID=25.10\nVERSION_CODENAME=questing\nUBUNTU_CODENAME=questing',
  ],
  ['LMDE', 'ID=linuxmint\nID_LIKE=debian\nVERSION_ID=7\nVERSION_CODENAME=gigi\nDEBIAN_CODENAME=trixie'],
  ['Oracle Linux 9', 'ID=ol\nID_LIKE=fedora\nVERSION_ID=9.6'],
])('%s can be bootstrapped', (_, osRelease) => {
  const os = parseOsRelease(osRelease);
  expect(platformFor(os).unsupportedReason(os)).toBeUndefined();
});

test.each([
  ['Debian testing, which has no version', 'ID=debian\nVERSION_CODENAME=forky'],
  [
    'a derivative of Debian that does not name its base',
    'ID=kali\nID_LIKE=debian\nVERSION_ID=2026.3\nVERSION_CODENAME=kali-rolling',
  ],
  ['Fedora 42', 'ID=fedora\nVERSION_ID=42'],
])('%s is refused', (_, osRelease) => {
  const os = parseOsRelease(osRelease);
  expect(platformFor(os).unsupportedReason(os)).toBeDefined();
});
