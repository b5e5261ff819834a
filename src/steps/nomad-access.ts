import type { Resource, Step } from '../core/types.ts';
import { nomadApi, throughNomad } from '../own-agents.ts';
import { type AclApi, aclObject } from '../resources/acl-object.ts';
import { nomadAclBootstrap } from '../resources/nomad-acl-bootstrap.ts';
import { isSecureServer, type SecureServer, type Target } from '../target.ts';
import type { PresetToken } from '../token/derive.ts';
import { madeBy } from './consul-access.ts';

/** What `verify` may look at. Source: the rights that Nomad's API documentation names for each endpoint asked. */
const verifyPolicy = 'node { policy = "read" }\nagent { policy = "read" }\noperator { policy = "read" }\n';
const verifyName = 'nomad-bootstrap-verify';

/** Nomad's access control, taken over, and the read-only token that `verify` asks with. */
export const nomadAccess: Step<Target> = {
  id: 'nomad-access',
  title: "Nomad's access control",
  after: ['consul-access'],
  appliesTo: isSecureServer,
  resources: target => {
    if (!isSecureServer(target)) return [];
    const api = nomadManagementApi(target);
    const { nomadManagement, tokens } = target.credentials;
    return [
      nomadAclBootstrap(api, nomadManagement.reveal()),
      nomadPolicy(api, verifyName, verifyPolicy),
      nomadToken(api, verifyName, tokens.nomadVerify),
    ];
  },
};

/** Nomad's API on this server, with the management token. */
export function nomadManagementApi(target: SecureServer): AclApi {
  const headers = { 'X-Nomad-Token': target.credentials.nomadManagement.reveal() };
  const [url, options] = throughNomad(nomadApi, target, { headers });
  return { product: 'Nomad', url, options };
}

function nomadPolicy(api: AclApi, name: string, rules: string): Resource {
  return aclObject(api, {
    id: `acl:nomad-policy:${name}`,
    title: `Nomad's policy ${name}`,
    path: `/v1/acl/policy/${name}`,
    isRight: found => (found as { Rules?: string }).Rules === rules,
    write: () => ({ path: `/v1/acl/policy/${name}`, body: { Name: name, Description: madeBy, Rules: rules } }),
  });
}

function nomadToken(api: AclApi, name: string, { accessorId, secretId }: PresetToken): Resource {
  return aclObject(api, {
    id: `acl:nomad-token:${name}`,
    title: `Nomad's token ${name}`,
    path: `/v1/acl/token/${accessorId}`,
    isRight: found => {
      const { SecretID, Policies } = found as { SecretID?: string; Policies?: readonly string[] };
      return SecretID === secretId.reveal() && Policies?.length === 1 && Policies[0] === name;
    },
    // Ids that are given beforehand: Nomad 2.0.3 and later take them.
    write: found => ({
      path: `/v1/acl/token${found === undefined ? '' : `/${accessorId}`}`,
      body: { AccessorID: accessorId, SecretID: secretId.reveal(), Name: name, Type: 'client', Policies: [name] },
    }),
  });
}
