import { tokenPath } from '../config/record.ts';
import type { Resource, Step } from '../core/types.ts';
import { directory } from '../resources/directory.ts';
import { file } from '../resources/file.ts';
import { certificateFolders, certificateOf, serverCertificate, warnBeforeMs } from '../resources/server-certificate.ts';
import { isSecure, isSecureServer, type SecureTarget, type Target } from '../target.ts';

/** Before the agents, which start with these. */
export const secrets: Step<Target> = {
  id: 'secrets',
  title: "The cluster's token and certificates",
  after: ['packages/pinned'],
  appliesTo: isSecure,
  resources: target =>
    isSecure(target)
      ? [
          directory('/etc/nomad-bootstrap', { mode: 0o700, owner: 'root:root' }),
          file(tokenPath, target.credentials.text, { mode: 0o600, owner: 'root:root' }),
          ...certificateFolders.flatMap(({ folder, attributes }) => [
            directory(folder, { ...attributes, mode: 0o750 }),
            file(`${folder}/ca.pem`, target.credentials.caCertificate, attributes),
          ]),
          ...certificate(target),
        ]
      : [],
};

function certificate(target: SecureTarget): readonly Resource[] {
  if (isSecureServer(target)) return [serverCertificate(certificateOf(target, warnBeforeMs))];
  const { credentials } = target;
  if (credentials.kind === 'server') return [];
  return certificateFolders.flatMap(({ folder, attributes }) => [
    file(`${folder}/agent.pem`, credentials.certificate, attributes),
    file(`${folder}/agent-key.pem`, credentials.key, attributes),
  ]);
}
