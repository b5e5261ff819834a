import { X509Certificate } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Secret } from '../../src/core/secret.ts';
import { authorityLife, knownAuthority, makeLeaf, scalarOf } from '../../src/token/certificates.ts';
import { clientTokenOf, credentialsOf, serverCredentials } from '../../src/token/credentials.ts';
import { gossipKey, labels, presetToken } from '../../src/token/derive.ts';
import { parseToken, type ServerToken } from '../../src/token/format.ts';
import { testServerToken, vectors } from './vectors.ts';

const token = parseToken(new Secret(testServerToken)) as ServerToken;

describe('the derivation', () => {
  it('gives what it gave in every release', async () => {
    const { authority, ...credentials } = await serverCredentials(token);

    expect({
      gossip: Object.fromEntries(labels.map(label => [label, gossipKey(token, label).reveal()])),
      ids: Object.fromEntries(
        labels.map(label => {
          const { accessorId, secretId } = presetToken(token, label);
          return [label, [accessorId, secretId.reveal()]];
        }),
      ),
      authorityKey: authority.key.reveal(),
      authority: authority.certificate,
      nomadGossip: credentials.nomadGossip.reveal(),
      consulGossip: credentials.consulGossip.reveal(),
    }).toEqual(vectors);
  });

  it('has + and / among the keys that hold it, which only standard base64 has', () => {
    const keys = Object.values(vectors.gossip).join('');

    expect(keys).toContain('+');
    expect(keys).toContain('/');
  });

  it('gives another secret under each name, in each epoch, for each token', () => {
    const others = [
      { ...token, epoch: 2 },
      { ...token, seed: new Secret('00'.repeat(32)) },
    ];
    const all = [token, ...others].flatMap(each => labels.map(label => gossipKey(each, label).reveal()));

    expect(new Set(all).size).toBe(labels.length * 3);
  });

  it('gives version 4 UUIDs, which is what the agents take', () => {
    for (const label of labels) {
      const { accessorId, secretId } = presetToken(token, label);
      for (const id of [accessorId, secretId.reveal()]) {
        expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
      }
    }
  });

  it('gives a key of the curve whatever the bytes are', () => {
    const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
    const extremes = [new Uint8Array(48), new Uint8Array(48).fill(255)];
    for (const bytes of [...extremes, ...fc.sample(fc.uint8Array({ minLength: 48, maxLength: 48 }), 20)]) {
      const scalar = BigInt(`0x${scalarOf(bytes).reveal()}`);
      expect(scalar > 0n && scalar < order).toBe(true);
    }
  });
});

describe("the authority's certificate that a node has", () => {
  const life = { notBefore: new Date('2026-11-21T00:00:00Z'), notAfter: new Date('2036-11-22T00:00:00Z') };

  it('is taken where it is the right one, and made anew where it is another, an altered one or none', async () => {
    const { authority } = await serverCredentials(token);
    const right = authority.certificate;
    const other = await serverCredentials({ ...token, seed: new Secret('00'.repeat(32)) });
    const anotherDay = await serverCredentials({ ...token, createdOn: '2026-11-23' });
    const leaf = await makeLeaf(authority, { commonName: 'a', dnsNames: [], addresses: [], ...life });
    const known = (certificate: string) => knownAuthority(authority.key, serialOf(right), token.createdOn, certificate);

    expect(known(right)).toEqual(authority);
    // The last byte of the signature.
    const forged = right.replace(/.(?==*\n-----END)/, letter => (letter === 'A' ? 'E' : 'A'));
    expect(forged).not.toBe(right);
    for (const wrong of [other.caCertificate, anotherDay.caCertificate, leaf.certificate, forged, 'nonsense', '']) {
      expect(known(wrong)).toBeUndefined();
      expect((await serverCredentials(token, wrong)).caCertificate).toBe(right);
    }
  });

  function serialOf(certificate: string): string {
    return new X509Certificate(certificate).serialNumber.toLowerCase();
  }
});

describe('the certificates', () => {
  it("are a server's for both agents, its names and its addresses, signed by the cluster's authority", async () => {
    const { authority, caCertificate } = await serverCredentials(token);
    const leaf = await makeLeaf(authority, {
      commonName: 'server.global.nomad',
      dnsNames: ['server.global.nomad', 'server.dc1.consul', 'nomad-s1', 'localhost'],
      addresses: ['127.0.0.1', '10.0.0.11'],
      notBefore: new Date('2026-11-21T00:00:00Z'),
      notAfter: new Date('2027-11-22T00:00:00Z'),
    });
    const certificate = new X509Certificate(leaf.certificate);
    const authorityCertificate = new X509Certificate(caCertificate);

    expect(authorityCertificate.ca).toBe(true);
    expect(authorityCertificate.verify(authorityCertificate.publicKey)).toBe(true);
    expect(certificate.verify(authorityCertificate.publicKey)).toBe(true);
    expect(certificate.checkIssued(authorityCertificate)).toBe(true);
    expect(certificate.ca).toBe(false);
    for (const name of ['server.global.nomad', 'server.dc1.consul', 'nomad-s1', 'localhost']) {
      expect(certificate.checkHost(name)).toBe(name);
    }
    expect(certificate.checkIP('10.0.0.11')).toBe('10.0.0.11');
    expect(certificate.checkIP('10.0.0.12')).toBeUndefined();
  });

  it('have a fresh key for each server, and one that fits', async () => {
    const { createPrivateKey } = await import('node:crypto');
    const { authority } = await serverCredentials(token);
    const options = { commonName: 'x', dnsNames: ['x'], addresses: [], ...authorityLife('2026-11-22') };
    const [a, b] = [await makeLeaf(authority, options), await makeLeaf(authority, options)];

    expect(new X509Certificate(a.certificate).checkPrivateKey(createPrivateKey(a.key.reveal()))).toBe(true);
    expect(new X509Certificate(b.certificate).checkPrivateKey(createPrivateKey(a.key.reveal()))).toBe(false);
  });

  it("are a client's as long as the authority lives, and never a server's", async () => {
    const client = await credentialsOf(parseToken(await clientTokenOf(token)));
    if (client.kind !== 'client') expect.fail();
    const certificate = new X509Certificate(client.certificate);
    const authority = new X509Certificate(client.caCertificate);

    expect(certificate.verify(authority.publicKey)).toBe(true);
    expect(certificate.validTo).toBe(authority.validTo);
    expect(certificate.subject).toBe('CN=client.global.nomad');
    expect(certificate.checkHost('server.global.nomad')).toBeUndefined();
    expect(certificate.subjectAltName).not.toContain('server');
  });

  it('are valid a day before the token was made, for clocks that are behind', () => {
    expect(authorityLife('2026-11-22')).toEqual({
      notBefore: new Date('2026-11-21T00:00:00Z'),
      notAfter: new Date('2036-11-22T00:00:00Z'),
    });
  });
});
