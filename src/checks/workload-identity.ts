import * as z from 'zod';
import { nomadApi, throughNomad } from '../own-agents.ts';
import { authMethod, bindingRules } from '../resources/nomad-workloads.ts';
import { isSecureServer } from '../target.ts';
import { consul, readAgent } from './agents.ts';
import { fail, type HealthCheck, pass, warn } from './health-check.ts';

const methodSchema = z.object({ Type: z.string(), Config: z.object({ JWKSURL: z.string() }) });
const rulesSchema = z.array(z.object({ BindType: z.string(), BindName: z.string() }));

export const workloadIdentity: HealthCheck = {
  id: 'workload-identity',
  title: "Consul knows jobs by Nomad's identities",
  scope: 'cluster',
  needs: ['consul-leader', 'nomad-leader'],
  appliesTo: isSecureServer,
  async run(host, target) {
    const [method, rules, keys] = await Promise.all([
      readAgent(host, consul, `/v1/acl/auth-method/${authMethod}`, methodSchema),
      readAgent(host, consul, `/v1/acl/binding-rules?authmethod=${authMethod}`, rulesSchema),
      host.request('http://127.0.0.1:4646/.well-known/jwks.json', { timeoutMs: 4000 }),
    ]);
    const again = 'run nomad-bootstrap server again: it makes what is missing';
    const missing = bindingRules.filter(rule => !rules.some(({ BindName }) => BindName === rule.BindName));
    if (method.Type !== 'jwt') return fail(`${authMethod} is of type ${method.Type}, not jwt`, again);
    if (missing.length > 0) return fail(`no rule binds ${missing.map(({ BindType }) => BindType).join(', ')}`, again);
    if (keys.status !== 200)
      return fail(`Nomad answers ${keys.status} to whoever asks for its public keys`, 'journalctl -u nomad -n 50');
    const [own] = throughNomad(`${nomadApi}/.well-known/jwks.json`, target, {});
    if (method.Config.JWKSURL !== own) {
      return warn(
        `${authMethod}: Consul asks for keys at ${method.Config.JWKSURL}, and this server has them at ${own}`,
        'give every server the same --api, one after the other: the last of them sets it right. Until then jobs may be refused by Consul',
      );
    }
    return pass(`${authMethod}: keys from ${method.Config.JWKSURL}`);
  },
};
