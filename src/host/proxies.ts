import { BootstrapError } from '../core/errors.ts';

const variables = ['HTTP_PROXY', 'HTTPS_PROXY', 'http_proxy', 'https_proxy'];

/**
 * The environment with every proxy as an address with a scheme, as each program reads it; `proxy.example:3128` is taken for
 * http, as curl does. Throws `bad-setting` for one that is no address.
 */
export function withProxies(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const fit: NodeJS.ProcessEnv = { ...environment };
  for (const name of variables) {
    const given = environment[name];
    if (given === undefined || given === '') continue;
    const address = given.includes('://') ? given : `http://${given}`;
    if (!URL.canParse(address) || !/^https?:$/.test(new URL(address).protocol)) {
      // It may hold a password.
      throw new BootstrapError('bad-setting', `${name} is no address of a proxy`, {
        hint: `write it as http://HOST:PORT, with http://USER:PASSWORD@HOST:PORT where it wants a password, or unset ${name}. Nothing was touched.`,
      });
    }
    fit[name] = address;
  }
  return fit;
}
