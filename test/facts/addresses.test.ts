import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  familyOf,
  inCidr,
  isLinodePrivate,
  isLoopback,
  isPublic,
  isUsable,
  networkOf,
  normalAddress,
  parseCidr,
} from '../../src/facts/addresses.ts';

describe('a literal address', () => {
  test.each([
    ['10.0.0.1', 4],
    ['255.255.255.255', 4],
    ['2001:db8::1', 6],
    ['::1', 6],
  ])('%s is of family %i', (text, family) => {
    expect(familyOf(text)).toBe(family);
  });

  test.each([
    '',
    '10.1',
    '10.0.0.01',
    '0x0a000001',
    '167772161',
    '10.0.0.1/24',
    '10.0.0.1:80',
    '[::1]',
    'fe80::1%eth0',
    'localhost',
    '10.0.0.256',
    ' 10.0.0.1',
    '10.0.0.1\n',
  ])('is not what %j is', text => {
    expect(familyOf(text)).toBeUndefined();
  });

  test('has one spelling', () => {
    expect(normalAddress('2001:DB8:0:0::0001')).toBe('2001:db8::1');
    expect(normalAddress('10.0.0.1')).toBe('10.0.0.1');
    expect(normalAddress('nomad-s1')).toBeUndefined();
  });
});

describe('a network', () => {
  test('is the address with its host bits cleared', () => {
    expect(parseCidr('10.0.0.7/24')).toEqual({ network: '10.0.0.0', prefixLength: 24, family: 4 });
    expect(parseCidr('2001:db8::7/64')).toEqual({ network: '2001:db8::', prefixLength: 64, family: 6 });
    expect(networkOf('192.168.140.77', 17)).toBe('192.168.128.0/17');
  });

  test.each(['10.0.0.0', '10.0.0.0/', '10.0.0.0/33', '10.0.0.0/8/8', '10/8', '10.0.0.0/-1', '10.0.0.0/2a', 'eth1/24'])(
    'is not what %j is',
    text => {
      expect(parseCidr(text)).toBeUndefined();
    },
  );

  test('holds every address that has it as its network, and no other', () => {
    fc.assert(
      fc.property(fc.ipV4(), fc.ipV4(), fc.integer({ min: 0, max: 32 }), (address, other, prefixLength) => {
        const network = networkOf(address, prefixLength);
        expect(inCidr(address, network)).toBe(true);
        expect(inCidr(other, network)).toBe(networkOf(other, prefixLength) === network);
      }),
    );
  });

  test('holds nothing of the other family and nothing malformed', () => {
    expect(inCidr('::1', '0.0.0.0/0')).toBe(false);
    expect(inCidr('10.0.0.1', '::/0')).toBe(false);
    expect(inCidr('nomad-s1', '0.0.0.0/0')).toBe(false);
    expect(inCidr('10.0.0.1', '10.0.0.0')).toBe(false);
  });

  test('of something that is no address is an error', () => {
    expect(() => networkOf('eth1', 24)).toThrow(RangeError);
  });
});

describe('what strangers can reach', () => {
  test.each(['8.8.8.8', '203.0.113.21', '172.32.0.1', '100.128.0.1', '192.169.0.1', '2600:3c06::1'])(
    '%s is public',
    address => {
      expect(isPublic(address)).toBe(true);
    },
  );
  test.each([
    '10.255.0.1',
    '172.16.0.1',
    '192.168.0.1',
    '100.64.0.1',
    '127.0.0.1',
    '169.254.1.1',
    'fd00::1',
    'fe80::1',
  ])('%s is not public', address => {
    expect(isPublic(address)).toBe(false);
  });
});

test("a data centre's shared private range is told from other private ones", () => {
  expect(isLinodePrivate('192.168.128.1')).toBe(true);
  expect(isLinodePrivate('192.168.255.254')).toBe(true);
  expect(isLinodePrivate('192.168.127.1')).toBe(false);
  expect(isLinodePrivate('10.0.0.1')).toBe(false);
});

test('loopback, link-local, multicast and placeholder addresses are of no use to a cluster', () => {
  expect(['127.0.0.1', '169.254.9.9', '224.0.0.1', '0.0.0.0', 'fe80::1', 'x'].filter(isUsable)).toEqual([]);
  expect(['10.0.0.1', '203.0.113.1', 'fd00::1'].filter(isUsable)).toHaveLength(3);
  expect(isLoopback('127.8.0.1')).toBe(true);
  expect(isLoopback('10.0.0.1')).toBe(false);
});
