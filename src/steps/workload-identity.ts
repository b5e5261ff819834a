import type { Resource, Step } from '../core/types.ts';
import { nomadApi, throughNomad } from '../own-agents.ts';
import { type AclApi, aclObject } from '../resources/acl-object.ts';
import { authMethod, bindingRules } from '../resources/nomad-workloads.ts';
import { isSecureServer, type SecureServer, type Target } from '../target.ts';
import { consulManagementApi, consulPolicy, madeBy } from './consul-access.ts';

/** Source: command/asset/consul-wi-default-policy.hcl, Nomad 2.0.5. */
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

/** Consul's leader fetches the public keys from the Nomad of its own node, also when this is made: it may have to come up first. */
function method(api: AclApi, target: SecureServer): Resource {
  const [url, { tls }] = throughNomad(`${nomadApi}/.well-known/jwks.json`, target, {});
  const wanted = {
    JWKSURL: url,
    ...(tls === undefined ? {} : { JWKSCACert: target.credentials.caCertificate }),
    JWTSupportedAlgs: ['RS256'],
    BoundAudiences: ['consul.io'],
    ClaimMappings: Object.fromEntries(claims.map(claim => [claim, claim])),
  };
  return aclObject(api, {
    id: `acl:consul-auth-method:${authMethod}`,
    title: `Consul's way to know jobs by their identity (${authMethod})`,
    path: `/v1/acl/auth-method/${authMethod}`,
    isRight: found => {
      const { Config } = found as { Config?: { JWKSURL?: string; JWKSCACert?: string } };
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
