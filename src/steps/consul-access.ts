import type { Resource, Step } from '../core/types.ts';
import { consulApi } from '../own-agents.ts';
import { type AclApi, type AclObject, aclObject } from '../resources/acl-object.ts';
import { isSecureServer, type SecureServer, type Target } from '../target.ts';
import type { PresetToken } from '../token/derive.ts';

/**
 * What each token of Consul's may do, and no more. Clients share theirs, so that theirs cannot be of one node.
 * Source: Nomad's documentation, "Consul ACL integration", and Consul's, "ACL rules".
 */
export const consulPolicies = {
  'nomad-bootstrap-consul-agents':
    'agent_prefix "" { policy = "read" }\nnode_prefix "" { policy = "write" }\nservice_prefix "" { policy = "read" }\noperator = "read"\n',
  'nomad-bootstrap-nomad-agents':
    'agent_prefix "" { policy = "read" }\nnode_prefix "" { policy = "read" }\nservice_prefix "" { policy = "write" }\n',
  'nomad-bootstrap-dns':
    'node_prefix "" { policy = "read" }\nservice_prefix "" { policy = "read" }\nquery_prefix "" { policy = "read" }\n',
  'nomad-bootstrap-verify':
    'agent_prefix "" { policy = "read" }\nnode_prefix "" { policy = "read" }\nservice_prefix "" { policy = "read" }\noperator = "read"\nacl = "read"\n',
} as const;

type PolicyName = keyof typeof consulPolicies;

/** The tokens of Consul's and Nomad's agents on servers, and what they may do. */
export const consulAccess: Step<Target> = {
  id: 'consul-access',
  title: "Consul's policies and tokens",
  after: [],
  appliesTo: isSecureServer,
  resources: target => {
    if (!isSecureServer(target)) return [];
    const api = consulManagementApi(target);
    const { consul } = target.credentials.tokens;
    return [
      ...Object.entries(consulPolicies).map(([name, rules]) => consulPolicy(api, name, rules)),
      consulToken(api, 'consul-server-agent', consul['server-agent'], 'nomad-bootstrap-consul-agents'),
      consulToken(api, 'consul-nomad-server', consul['nomad-server'], 'nomad-bootstrap-nomad-agents'),
      consulToken(api, 'consul-verify', consul.verify, 'nomad-bootstrap-verify'),
      consulToken(api, 'consul-dns', consul.dns, 'nomad-bootstrap-dns'),
    ];
  },
};

/**
 * The clients' tokens. After Nomad's access control was taken over, so that a client to which they are of use knows that:
 * only then may its own API be opened.
 */
export const clientAccess: Step<Target> = {
  id: 'client-access',
  title: "The clients' tokens in Consul",
  after: ['nomad-access'],
  appliesTo: isSecureServer,
  resources: target => {
    if (!isSecureServer(target)) return [];
    const api = consulManagementApi(target);
    const { consul } = target.credentials.tokens;
    return [
      consulToken(api, 'consul-client-agent', consul['client-agent'], 'nomad-bootstrap-consul-agents'),
      consulToken(api, 'consul-nomad-client', consul['nomad-client'], 'nomad-bootstrap-nomad-agents'),
    ];
  },
};

/** Consul's API on this server, with the management token. */
export function consulManagementApi({ credentials }: SecureServer): AclApi {
  return {
    product: 'Consul',
    url: consulApi,
    options: { headers: { 'X-Consul-Token': credentials.consulManagement.reveal() } },
  };
}

/** A policy of exactly these rules. */
export function consulPolicy(api: AclApi, name: string, rules: string, description = madeBy): Resource {
  return aclObject(api, {
    id: `acl:consul-policy:${name}`,
    title: `Consul's policy ${name}`,
    path: `/v1/acl/policy/name/${name}`,
    isRight: found => (found as { Rules?: string }).Rules === rules,
    write: found => {
      const { ID } = (found ?? {}) as { ID?: string };
      return {
        path: `/v1/acl/policy${ID === undefined ? '' : `/${ID}`}`,
        body: { ...(ID === undefined ? {} : { ID }), Name: name, Description: description, Rules: rules },
      };
    },
  });
}

export const madeBy = 'Made by nomad-bootstrap';

function consulToken(api: AclApi, name: string, { accessorId, secretId }: PresetToken, policy: PolicyName): Resource {
  const object: AclObject = {
    id: `acl:consul-token:${name}`,
    title: `Consul's token ${name}`,
    path: `/v1/acl/token/${accessorId}`,
    isRight: found => {
      const { SecretID, Policies } = found as { SecretID?: string; Policies?: readonly { Name: string }[] };
      return SecretID === secretId.reveal() && Policies?.length === 1 && Policies[0]?.Name === policy;
    },
    write: found => ({
      path: `/v1/acl/token${found === undefined ? '' : `/${accessorId}`}`,
      body: {
        AccessorID: accessorId,
        SecretID: secretId.reveal(),
        Description: `${madeBy}: ${name}`,
        Policies: [{ Name: policy }],
      },
    }),
  };
  return aclObject(api, object);
}
