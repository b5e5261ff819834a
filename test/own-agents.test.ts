import { describe, expect, it } from 'vitest';
import { Secret } from '../src/core/secret.ts';
import type { HostReader, RequestOptions } from '../src/core/types.ts';
import { asThisNode } from '../src/own-agents.ts';
import type { NodeTarget } from '../src/target.ts';
import { type Credentials, credentialsOf } from '../src/token/credentials.ts';
import { parseToken } from '../src/token/format.ts';
import { clientNode, targetOn } from './support/target.ts';
import { testClientToken, testServerToken } from './token/vectors.ts';

interface Asked {
  readonly url: string;
  readonly options: RequestOptions;
}

async function nodeWith(token: string | undefined, api: 'loopback' | 'cluster' = 'loopback', nomadToken?: Secret) {
  const credentials = token === undefined ? undefined : await credentialsOf(parseToken(new Secret(token)));
  const node = credentials?.kind === 'client' ? clientNode : {};
  const target = { ...(await targetOn('debian-12', { node: { ...node, api } })), credentials } as NodeTarget;
  const asked: Asked[] = [];
  const machine = {
    async request(url: string, options: RequestOptions = {}) {
      asked.push({ url, options });
      return { status: 200, headers: {}, body: new Uint8Array() };
    },
    readText: async (path: string) => (path === '/opt/nomad/data/client/secret-id' ? 'the-nodes-secret\n' : undefined),
  } as unknown as HostReader;
  const host = asThisNode(machine, target, nomadToken);
  async function ask(url: string, options?: RequestOptions): Promise<Asked> {
    await host.request(url, options);
    return asked.at(-1) ?? expect.fail();
  }
  return { ask, credentials: credentials as Credentials };
}

describe('asking its own agents', () => {
  it('a server shows read-only tokens, and the recovery token where no leader is needed', async () => {
    const { ask, credentials } = await nodeWith(testServerToken);
    if (credentials.kind !== 'server') expect.fail();

    expect((await ask('http://127.0.0.1:4646/v1/nodes')).options.headers).toEqual({
      'X-Nomad-Token': credentials.tokens.nomadVerify.secretId.reveal(),
    });
    expect((await ask('http://127.0.0.1:8500/v1/agent/checks')).options.headers).toEqual({
      'X-Consul-Token': credentials.tokens.consul.verify.secretId.reveal(),
    });
    expect((await ask('http://127.0.0.1:8500/v1/agent/self')).options.headers).toEqual({
      'X-Consul-Token': credentials.consulRecovery.reveal(),
    });
  });

  it('a node shows a token that it is given for Nomad in place of its own, to Nomad alone', async () => {
    const { ask, credentials } = await nodeWith(testClientToken, 'loopback', new Secret('an-operators-token'));

    expect((await ask('http://127.0.0.1:4646/v1/jobs')).options.headers).toEqual({
      'X-Nomad-Token': 'an-operators-token',
    });
    expect((await ask('http://127.0.0.1:8500/v1/agent/checks')).options.headers).toEqual({
      'X-Consul-Token': credentials.consulAgent.reveal(),
    });
    expect((await ask('http://10.0.0.21:20123/')).options.headers).toBeUndefined();
  });

  it("a client shows its node's own secret", async () => {
    const { ask, credentials } = await nodeWith(testClientToken);

    expect((await ask('http://127.0.0.1:4646/v1/nodes')).options.headers).toEqual({
      'X-Nomad-Token': 'the-nodes-secret',
    });
    expect((await ask('http://127.0.0.1:8500/v1/agent/checks')).options.headers).toEqual({
      'X-Consul-Token': credentials.consulAgent.reveal(),
    });
  });

  it("nobody else is shown anything, not even an address that looks like the agents'", async () => {
    const { ask } = await nodeWith(testServerToken);

    for (const url of [
      'https://apt.releases.hashicorp.com/gpg',
      'http://10.0.0.12:4646/v1/nodes',
      'http://127.0.0.1.example.net:4646/',
    ]) {
      expect((await ask(url)).options.headers).toBeUndefined();
    }
  });

  it('a request that brings a token keeps it', async () => {
    const { ask } = await nodeWith(testServerToken);

    expect(
      (await ask('http://127.0.0.1:4646/v1/nodes', { headers: { 'X-Nomad-Token': 'own' } })).options.headers,
    ).toEqual({
      'X-Nomad-Token': 'own',
    });
  });

  it("goes by HTTPS with the cluster's authority alone where Nomad's API is open to the cluster", async () => {
    const { ask, credentials } = await nodeWith(testServerToken, 'cluster');

    expect(await ask('http://127.0.0.1:4646/v1/nodes')).toMatchObject({
      url: 'https://127.0.0.1:4646/v1/nodes',
      options: { tls: { ca: credentials.caCertificate, serverName: 'localhost' } },
    });
    expect((await ask('http://127.0.0.1:8500/v1/nodes')).url).toBe('http://127.0.0.1:8500/v1/nodes');
  });

  it('changes nothing in a cluster without a token', async () => {
    const { ask } = await nodeWith(undefined, 'cluster');

    expect(await ask('http://127.0.0.1:4646/v1/nodes')).toEqual({ url: 'http://127.0.0.1:4646/v1/nodes', options: {} });
  });

  it('a node asks its Nomad in the other way while that still speaks as it was told before', async () => {
    const credentials = await credentialsOf(parseToken(new Secret(testServerToken)));
    const speaks = async (api: 'loopback' | 'cluster', now: 'plain' | 'TLS' | 'nothing') => {
      const target = { ...(await targetOn('debian-12', { node: { api } })), credentials } as NodeTarget;
      const machine = {
        async request(url: string) {
          if (now === 'nothing' || (now === 'plain' && url.startsWith('https'))) throw new Error(`unreachable: ${url}`);
          const refused = now === 'TLS' && url.startsWith('http:');
          const text = refused ? 'Client sent an HTTP request to an HTTPS server.\n' : 'answered';
          return { status: refused ? 400 : 200, headers: {}, body: new TextEncoder().encode(text) };
        },
      } as unknown as HostReader;
      const { body } = await asThisNode(machine, target).request('http://127.0.0.1:4646/v1/status/peers');
      return new TextDecoder().decode(body);
    };
    expect(await speaks('cluster', 'plain')).toBe('answered');
    expect(await speaks('cluster', 'TLS')).toBe('answered');
    expect(await speaks('loopback', 'TLS')).toBe('answered');
    expect(await speaks('loopback', 'plain')).toBe('answered');
    await expect(speaks('cluster', 'nothing')).rejects.toThrow('unreachable: https:');
    await expect(speaks('loopback', 'nothing')).rejects.toThrow('unreachable: http:');
  });
});
