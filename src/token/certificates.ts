/** The cluster's certificates: the only file that uses @peculiar/x509 and @noble/curves, loaded at the first certificate. */
import { createECDH, randomBytes, X509Certificate } from 'node:crypto';
import { Secret } from '../core/secret.ts';
import { toPem } from './format.ts';

/** A certificate with its key, as PEM. */
export interface Leaf {
  readonly certificate: string;
  /** PKCS #8. */
  readonly key: Secret;
}

/** An authority that signs; `key` is the scalar of a P-256 key. */
export interface Authority {
  readonly certificate: string;
  readonly key: Secret;
}

export interface LeafOptions {
  readonly commonName: string;
  readonly dnsNames: readonly string[];
  readonly addresses: readonly string[];
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** The leaf's own scalar and serial number: a fresh one each when absent. */
  readonly key?: Secret;
  readonly serialNumber?: string;
}

const dayMs = 24 * 60 * 60 * 1000;
/** A first boot's clock may be this far behind: certificates are valid before they were made. */
export const backdatedMs = dayMs;
const authorityYears = 10;
const authorityName = 'CN=nomad-bootstrap cluster CA';
const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

/** The order of P-256. Source: SEC 2, section 2.4.2. */
const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

/** The scalar of a P-256 key, hexadecimal, out of 48 bytes: reduced to the valid range without a bias that matters (FIPS 186-5, A.2.1). */
export function scalarOf(bytes: Uint8Array): Secret {
  const scalar = (BigInt(`0x${Buffer.from(bytes).toString('hex')}`) % (order - 1n)) + 1n;
  return new Secret(scalar.toString(16).padStart(64, '0'));
}

/** When an authority of this day begins and ends. */
export function authorityLife(createdOn: string): { readonly notBefore: Date; readonly notAfter: Date } {
  const created = new Date(`${createdOn}T00:00:00Z`);
  const end = new Date(created);
  end.setUTCFullYear(end.getUTCFullYear() + authorityYears);
  return { notBefore: new Date(created.getTime() - backdatedMs), notAfter: end };
}

/**
 * The authority whose certificate is at hand already, as on a node that was made with it: making it again takes 100 ms. `undefined` when
 * the certificate is not of this key, serial number and day, or its signature is not of this key.
 */
export function knownAuthority(
  key: Secret,
  serialNumber: string,
  createdOn: string,
  certificate: string,
): Authority | undefined {
  try {
    const found = new X509Certificate(certificate);
    const { x = '', y = '' } = found.publicKey.export({ format: 'jwk' });
    const { notBefore, notAfter } = authorityLife(createdOn);
    const isKnown =
      pointOf(key).equals(Buffer.concat([Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')])) &&
      found.serialNumber.toLowerCase() === serialNumber &&
      Date.parse(found.validFrom) === notBefore.getTime() &&
      Date.parse(found.validTo) === notAfter.getTime() &&
      found.verify(found.publicKey);
    return isKnown ? { certificate, key } : undefined;
  } catch {
    return undefined;
  }
}

/** The public key of a scalar: its point's two coordinates, 32 bytes each. */
function pointOf(scalar: Secret): Buffer {
  const pair = createECDH('prime256v1');
  pair.setPrivateKey(scalar.reveal(), 'hex');
  return pair.getPublicKey().subarray(1);
}

/** The authority's certificate: the same bytes on every machine, for the same key, serial number and day. */
export async function makeAuthority(key: Secret, serialNumber: string, createdOn: string): Promise<Authority> {
  const x509 = await loadX509();
  const pair = await keyPair(key);
  const certificate = await x509.X509CertificateGenerator.create(
    {
      serialNumber,
      subject: authorityName,
      issuer: authorityName,
      ...authorityLife(createdOn),
      publicKey: pair.publicKey,
      signingKey: pair.privateKey,
      signingAlgorithm: algorithm,
      extensions: [
        new x509.BasicConstraintsExtension(true, 0, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
        await x509.SubjectKeyIdentifierExtension.create(pair.publicKey, false, pair.crypto),
      ],
    },
    pair.crypto,
  );
  return { certificate: pemOf(certificate.rawData), key };
}

/** A certificate for TLS in both directions, signed by the authority; deterministic where key and serial number are given. */
export async function makeLeaf(authority: Authority, options: LeafOptions): Promise<Leaf> {
  const x509 = await loadX509();
  const { commonName, dnsNames, addresses, notBefore, notAfter } = options;
  const issuer = await keyPair(authority.key);
  const pair = await keyPair(options.key ?? scalarOf(randomBytes(48)));
  const certificate = await x509.X509CertificateGenerator.create(
    {
      serialNumber: options.serialNumber ?? positive(randomBytes(16)),
      subject: `CN=${commonName}`,
      issuer: authorityName,
      notBefore,
      notAfter,
      publicKey: pair.publicKey,
      signingKey: issuer.privateKey,
      signingAlgorithm: algorithm,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth]),
        new x509.SubjectAlternativeNameExtension([
          ...dnsNames.map(value => ({ type: 'dns' as const, value })),
          ...addresses.map(value => ({ type: 'ip' as const, value })),
        ]),
        await x509.SubjectKeyIdentifierExtension.create(pair.publicKey, false, pair.crypto),
        await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey, false, issuer.crypto),
      ],
    },
    issuer.crypto,
  );
  const key = await crypto.subtle.exportKey('pkcs8', pair.privateKey);
  return {
    certificate: pemOf(certificate.rawData),
    key: new Secret(toPem('PRIVATE KEY', Buffer.from(key).toString('base64'))),
  };
}

/** A serial number out of random bytes: positive, as RFC 5280 wants it. */
export function positive(bytes: Uint8Array): string {
  const serial = Buffer.from(bytes);
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40;
  return serial.toString('hex');
}

/** A key pair of Web Crypto, and a crypto that signs with it by RFC 6979: ECDSA without randomness gives the same bytes everywhere. */
async function keyPair(scalar: Secret) {
  const { p256 } = await import('@noble/curves/nist.js');
  const secretKey = Buffer.from(scalar.reveal(), 'hex');
  const point = pointOf(scalar);
  const url = (part: Uint8Array) => Buffer.from(part).toString('base64url');
  const jwk = { kty: 'EC', crv: 'P-256', x: url(point.subarray(0, 32)), y: url(point.subarray(32)) };
  const { subtle } = crypto;
  const publicKey = await subtle.importKey('jwk', jwk, algorithm, true, ['verify']);
  const privateKey = await subtle.importKey('jwk', { ...jwk, d: url(secretKey) }, algorithm, true, ['sign']);
  const signer = {
    subtle: {
      exportKey: subtle.exportKey.bind(subtle),
      digest: subtle.digest.bind(subtle),
      sign: async (_algorithm: unknown, _key: unknown, data: ArrayBuffer) =>
        new Uint8Array(p256.sign(new Uint8Array(data), secretKey)).buffer,
    },
  };
  return { publicKey, privateKey, crypto: signer as unknown as Crypto };
}

async function loadX509() {
  // The library's container of dependencies needs this to be there first.
  await import('reflect-metadata');
  return import('@peculiar/x509');
}

function pemOf(der: ArrayBuffer): string {
  return toPem('CERTIFICATE', Buffer.from(der).toString('base64'));
}
