import { readAsset } from '../assets.ts';
import type { Step } from '../core/types.ts';
import { certificateOf, renewalDueMs, serverCertificate } from '../resources/server-certificate.ts';
import { service } from '../resources/service.ts';
import { unitFile } from '../resources/unit-file.ts';
import { isSecureServer, type Target } from '../target.ts';

const units = ['nomad-bootstrap-renew.service', 'nomad-bootstrap-renew.timer'] as const;

/** A server's certificate lives for a year: a timer of its own renews it, since nobody would. */
export const certificateRenewal: Step<Target> = {
  id: 'certificate-renewal',
  title: "The renewal of this server's certificate",
  after: ['secrets'],
  appliesTo: isSecureServer,
  resources: () => [...units.map(unit => unitFile(unit, readAsset(`systemd/${unit}`))), service(units[1])],
};

/** What that timer starts: a new certificate where two thirds of the old one's life are over. */
export const renewedCertificate: Step<Target> = {
  id: 'certificate',
  title: "This server's certificate",
  appliesTo: isSecureServer,
  resources: target => (isSecureServer(target) ? [serverCertificate(certificateOf(target, renewalDueMs))] : []),
};
