import { BootstrapError } from '../core/errors.ts';
import type { HostReader, Resource, ResourceId, Step } from '../core/types.ts';
import { nomadApi, throughNomad } from '../own-agents.ts';
import { type AclApi, aclObject } from '../resources/acl-object.ts';
import { authMethod, bindingRules } from '../resources/nomad-workloads.ts';
import { isSecureServer, type SecureServer, type Target } from '../target.ts';
import { consulManagementApi, consulPolicy, madeBy } from './consul-access.ts';

/** Source: command/asset/consul-wi-default-policy.hcl, Nomad 2.0.5. */
const jwksPath = '/.well-known/jwks.json';
const tasksPolicy = 'policy-nomad-tasks';
const tasksRole = 'nomad-default-tasks';
const tasksRules = `node_prefix "" {
  policy = "read"
}

service_prefix "" {
  policy = "read"
}

key_prefix "" {
  policy = "read"
}
`;
const claims = ['consul_namespace', 'nomad_namespace', 'nomad_job_id', 'nomad_task', 'nomad_service'];
/** Jobs prove to Consul who they are with what Nomad signs: no token of the agents' is ever theirs. */
export const workloadIdentity: Step<Target> = {
  id: 'workload-identity',
  title: "Jobs' identities in Consul",
  after: ['nomad-access'],
  appliesTo: isSecureServer,
  resources: target => {
    if (!isSecureServer(target)) return [];
    const api = consulManagementApi(target);
    return [
      consulPolicy(api, tasksPolicy, tasksRules),
      role(api),
      method(api, target),
      ...bindingRules.map(rule => bindingRule(api, rule)),
    ];
  },
};

function role(api: AclApi): Resource {
  return aclObject(api, {
    id: `acl:consul-role:${tasksRole}`,
    title: `Consul's role ${tasksRole}`,
    path: `/v1/acl/role/name/${tasksRole}`,
    isRight: found =>
      (found as { Policies?: readonly { Name: string }[] }).Policies?.some(({ Name }) => Name === tasksPolicy) === true,
    write: found => {
      const { ID } = (found ?? {}) as { ID?: string };
      return {
        path: `/v1/acl/role${ID === undefined ? '' : `/${ID}`}`,
        body: {
          ...(ID === undefined ? {} : { ID }),
          Name: tasksRole,
          Description: madeBy,
          Policies: [{ Name: tasksPolicy }],
        },
      };
    },
  });
}

/** Where Consul's leader, whichever server that is, finds the public keys on its own node. */
function method(api: AclApi, target: SecureServer): Resource {
  const id = `acl:consul-auth-method:${authMethod}`;
  return {
    id,
    plan: async (host, before) => methodWith(api, id, target, await serversAreOpen(host, target)).plan(host, before),
  };
}

/**
 * Whether Nomad's API is open to the cluster, and so HTTPS on loopback as well, on every server (`true`) or on none (`false`). Servers are
 * opened one after the other: while they differ (`undefined`), what there is stays.
 */
async function serversAreOpen(host: HostReader, target: SecureServer): Promise<boolean | undefined> {
  const { node } = target.config;
  const peers = await host.request(...throughNomad(`${nomadApi}/v1/status/peers`, target, { timeoutMs: 10_000 }));
  const addresses = (JSON.parse(new TextDecoder().decode(peers.body)) as readonly string[]).map(peer =>
    peer.slice(0, peer.lastIndexOf(':')),
  );
  const open = await Promise.all(
    addresses.filter(address => address !== node.network.address).map(address => isOpen(host, target, address)),
  );
  const own = node.api === 'cluster';
  return open.every(other => other === own) ? own : undefined;
}

async function isOpen(host: HostReader, { credentials }: SecureServer, address: string): Promise<boolean> {
  const tls = { ca: credentials.caCertificate, serverName: 'localhost' };
  try {
    return (await host.request(`https://${address}:4646/v1/status/leader`, { tls, timeoutMs: 5000 })).status === 200;
  } catch (error) {
    if (error instanceof BootstrapError && error.code === 'unreachable') return false;
    throw error;
  }
}

/** Consul's leader fetches the keys also when this is made: the Nomad of its node may have to come up first. */
function methodWith(api: AclApi, id: ResourceId, target: SecureServer, open: boolean | undefined): Resource {
  const url = `${open === true ? nomadApi.replace('http:', 'https:') : nomadApi}${jwksPath}`;
  const wanted = {
    JWKSURL: url,
    ...(open === true ? { JWKSCACert: target.credentials.caCertificate } : {}),
    JWTSupportedAlgs: ['RS256'],
    BoundAudiences: ['consul.io'],
    ClaimMappings: Object.fromEntries(claims.map(claim => [claim, claim])),
  };
  return aclObject(api, {
    id,
    title: `Consul's way to know jobs by their identity (${authMethod})`,
    path: `/v1/acl/auth-method/${authMethod}`,
    isRight: found => {
      const { Config } = found as { Config?: { JWKSURL?: string; JWKSCACert?: string } };
      if (open === undefined && Config?.JWKSURL?.endsWith(jwksPath)) return true;
      return Config?.JWKSURL === wanted.JWKSURL && (Config.JWKSCACert ?? '') === (wanted.JWKSCACert ?? '');
    },
    write: found => ({
      path: `/v1/acl/auth-method${found === undefined ? '' : `/${authMethod}`}`,
      body: {
        Name: authMethod,
        Type: 'jwt',
        DisplayName: authMethod,
        Description: madeBy,
        TokenLocality: 'local',
        Config: wanted,
      },
    }),
    patienceSeconds: 90,
  });
}

function bindingRule(api: AclApi, rule: (typeof bindingRules)[number]): Resource {
  return aclObject(api, {
    id: `acl:consul-binding-rule:${rule.BindType}`,
    title: `Consul's rule for jobs' ${rule.BindType === 'service' ? 'services' : 'tasks'}`,
    path: `/v1/acl/binding-rules?authmethod=${authMethod}`,
    // A rule has no name: what it binds is what it is.
    find: rules =>
      (rules as readonly (typeof rule)[] | null)?.find(
        ({ BindType, BindName, Selector }) =>
          BindType === rule.BindType && BindName === rule.BindName && Selector === rule.Selector,
      ),
    isRight: () => true,
    write: () => ({
      path: '/v1/acl/binding-rule',
      body: { ...rule, AuthMethod: authMethod, Description: madeBy },
    }),
  });
}
