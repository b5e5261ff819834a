import fc from 'fast-check';
import { expect, test } from 'vitest';
import { healthChecks } from '../../src/checks/index.ts';
import { runChecks } from '../../src/core/run-checks.ts';
import type { FixtureAnswer } from '../support/fixture-host.ts';
import { describedClient, describedServer, recorded, type Scenario } from './node.ts';

const silentUnits = Object.fromEntries(
  ['consul', 'nomad', 'docker'].map(unit => [
    `systemctl show --property=LoadState,UnitFileState,ActiveState,SubState,Result,NRestarts ${unit}.service`,
    { stdout: '' },
  ]),
);

/** A recorded answer with one value somewhere in it replaced: nearest to what a later version may change. */
function mutant(body: unknown): fc.Arbitrary<unknown> {
  if (typeof body !== 'object' || body === null || Object.keys(body).length === 0) return fc.jsonValue();
  const keys = Object.keys(body);
  return fc
    .constantFrom(...keys)
    .chain(key =>
      fc
        .oneof({ maxDepth: 6 }, fc.jsonValue(), mutant((body as Record<string, unknown>)[key]))
        .map(value =>
          Array.isArray(body)
            ? body.map((item: unknown, index) => (String(index) === key ? value : item))
            : { ...body, [key]: value },
        ),
    );
}

function answer(body: unknown): fc.Arbitrary<FixtureAnswer> {
  return fc.oneof(
    fc.constant<FixtureAnswer>('unreachable'),
    fc.record({
      status: fc.constantFrom(200, 403, 404, 429, 500),
      body: fc.oneof(
        fc.string(),
        fc.jsonValue().map(value => JSON.stringify(value)),
      ),
    }),
    mutant(body).map(value => ({ status: 200, body: JSON.stringify(value) })),
  );
}

/** One of a scenario's requests, answered with something else. */
function oddAnswers(scenario: Scenario): fc.Arbitrary<Record<string, FixtureAnswer>> {
  const answers = Object.entries(recorded(scenario));
  return fc
    .constantFrom(...answers)
    .chain(([request, answered]) =>
      answer(answered === 'unreachable' ? undefined : answered.body).map(odd => ({ [request]: odd })),
    );
}

test.each(['three-servers', 'client'] as const)(
  'whatever an agent answers on the node of %s, every check comes to a result, and none is a bug',
  async scenario => {
    await fc.assert(
      fc.asyncProperty(oddAnswers(scenario), async requests => {
        const different = { requests, commands: silentUnits };
        const { host, target } = await (scenario === 'client'
          ? describedClient(different)
          : describedServer(scenario, different));
        // Another node's id in an answer leads to another path: nobody is there.
        const tolerant = {
          ...host,
          request: async (url: string, options?: object) =>
            url.includes('/v1/node/') && !(`GET ${url}` in recorded('client'))
              ? { status: 404, headers: {}, body: new TextEncoder().encode('node not found') }
              : host.request(url, options),
        };

        const results = await runChecks(healthChecks, tolerant, target, { confirm: false });

        expect(results).toHaveLength(healthChecks.length);
        for (const { id, status, detail, hint } of results) {
          expect(detail, id).not.toContain('the check itself failed');
          if (status === 'fail' || status === 'warn') expect(hint, id).toBeTruthy();
        }
      }),
      { numRuns: 300 },
    );
  },
);
