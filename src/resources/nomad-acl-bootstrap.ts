import { BootstrapError } from '../core/errors.ts';
import type { HostReader, Resource } from '../core/types.ts';
import { type AclApi, ask } from './acl-object.ts';

/**
 * Nomad's access control, taken over with the cluster's own management token, once, by whichever server comes first. Throws
 * `acl-bootstrapped-by-another` when somebody else did it: then that token is not one of this cluster's. Undo: `none`.
 */
export function nomadAclBootstrap(api: AclApi, secretId: string): Resource {
  async function isOurs(host: HostReader): Promise<boolean> {
    const response = await ask(host, api, '/v1/acl/token/self');
    if (response.status !== 200) return false;
    const { Type } = JSON.parse(new TextDecoder().decode(response.body)) as { Type?: string };
    return Type === 'management';
  }

  return {
    id: 'acl:nomad-bootstrap',
    async plan(host) {
      if (await isOurs(host)) return undefined;
      return {
        summary: "take over Nomad's access control with the token's management secret",
        undo: { kind: 'none' },
        async apply(target) {
          // Several times: a leader that has just been elected may refuse for a moment.
          let answer = '';
          for (let attempt = 1; attempt <= 15; attempt += 1) {
            const response = await target.send(`${api.url}/v1/acl/bootstrap`, {
              ...(api.options.tls === undefined ? {} : { tls: api.options.tls }),
              method: 'PUT',
              body: JSON.stringify({ BootstrapSecret: secretId }),
              timeoutMs: 15_000,
            });
            answer = new TextDecoder().decode(response.body).trim();
            // "Already done" is only right when it was done with this cluster's secret.
            if (response.status === 200 || (await isOurs(target))) return;
            if (response.status === 400) break;
            await target.sleep(1000);
          }
          throw new BootstrapError(
            'acl-bootstrapped-by-another',
            "Nomad's access control was not taken over with this cluster's token",
            {
              detail: answer,
              hint: "if nobody of yours did it, somebody else rules this cluster: stop it and look. If it was you, write the reset index above into /opt/nomad/data/server/acl-bootstrap-reset on the leader and run the same command again (Nomad's documentation, 'Reset ACL bootstrap')",
            },
          );
        },
      };
    },
  };
}
