import { searchesToJoin } from '../../config/config.ts';
import type { Check } from '../../core/types.ts';
import type { Target } from '../../target.ts';

/**
 * Before 2.0.0 no Consul has a go-discover (1.2.0) that knows `vpc_v4`: one that does not takes it for `private_v4` without a word. Which
 * later ones have is to be seen in the program alone. Source: go.mod of Consul 1.21.4 (go-discover 1.0.0) and 1.22.5 (1.1.0);
 * provider/linode of go-discover 1.0.0 and 1.3.0, whose help text has the name.
 */
const before2 = /^[01]\./;

export const vpcSearch: Check<Target> = {
  id: 'vpc-search',
  title: "Consul finds VPC addresses by Linode's API",
  appliesTo: ({ config: { node } }) =>
    node !== undefined && searchesToJoin(node).some(({ addressType }) => addressType === 'vpc_v4'),
  async run(host, { resolution: { consul } }) {
    const instead = 'say --join vlan, which finds the others on a subnet of a VPC, too, without the API';
    const unknowing = {
      status: 'fail',
      detail: `Consul ${consul.version} does not know vpc_v4, and would look for private addresses instead`,
      hint: instead,
    } as const;
    if (before2.test(consul.version)) return unknowing;
    if ((await host.stat('/usr/bin/consul')) === undefined) {
      return {
        status: 'fail',
        detail: `whether Consul ${consul.version} knows vpc_v4 cannot be told before it is installed`,
        hint: `install it first: nomad-bootstrap image --consul-version ${consul.version}, then run this again; or ${instead}`,
      };
    }
    const { exitCode } = await host.query(['grep', '-q', '-F', 'vpc_v4', '/usr/bin/consul'], { timeoutMs: 30_000 });
    return exitCode === 0 ? { status: 'pass', detail: `Consul ${consul.version} does` } : unknowing;
  },
};
