import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { CheckOutcome, HostReader } from '../core/types.ts';
import { certificateOf, flawOfCertificate, warnBeforeMs } from '../resources/server-certificate.ts';
import { isSecure, isSecureServer, type SecureTarget } from '../target.ts';
import { fail, type HealthCheck, pass, warn } from './health-check.ts';

export const certificates: HealthCheck = {
  id: 'certificates',
  title: "The certificates are the cluster's and will last",
  scope: 'node',
  appliesTo: isSecure,
  async run(host, target) {
    if (!isSecure(target)) throw new Error('only for a cluster with a token');
    const flaw = isSecureServer(target)
      ? await flawOfCertificate(host, certificateOf(target, 0))
      : await flawOfClientCertificate(host, target);
    if (flaw !== undefined) {
      return fail(`this node's certificate: ${flaw}`, 'run nomad-bootstrap again: it puts the right one there');
    }
    return judgeLife(host, target);
  },
};

async function flawOfClientCertificate(host: HostReader, { credentials }: SecureTarget): Promise<string | undefined> {
  for (const folder of ['/etc/nomad.d/tls', '/etc/consul.d/tls']) {
    const [certificate, key] = await Promise.all([
      host.readText(`${folder}/agent.pem`),
      host.readText(`${folder}/agent-key.pem`),
    ]);
    if (certificate === undefined || key === undefined) return `there is none in ${folder}`;
    try {
      const found = new X509Certificate(certificate);
      if (!found.checkPrivateKey(createPrivateKey(key))) return `its key in ${folder} is of another`;
      if (!found.verify(new X509Certificate(credentials.caCertificate).publicKey)) {
        return `the one in ${folder} is of another authority`;
      }
    } catch {
      return `the one in ${folder} cannot be read`;
    }
  }
  return undefined;
}

async function judgeLife(host: HostReader, target: SecureTarget): Promise<CheckOutcome> {
  const leaf = new X509Certificate((await host.readText('/etc/nomad.d/tls/agent.pem')) ?? '');
  const authority = new X509Certificate(target.credentials.caCertificate);
  const now = host.now().getTime();
  const end = Math.min(Date.parse(leaf.validTo), Date.parse(authority.validTo));
  const until = new Date(end).toISOString().slice(0, 10);
  if (now > end) return fail(`they ended on ${until}`, hintFor(target));
  if (now < Date.parse(leaf.validFrom))
    return fail('they are not valid yet', "set this machine's clock right: timedatectl");
  if (end - now < warnBeforeMs) return warn(`they end on ${until}`, hintFor(target));
  return pass(`valid until ${until}`);
}

function hintFor(target: SecureTarget): string {
  return isSecureServer(target)
    ? 'see why the renewal did not do it: systemctl status nomad-bootstrap-renew; by hand: nomad-bootstrap renew'
    : "a client's certificate lives as long as its cluster's authority: make a new cluster with a new token, and move the jobs";
}
