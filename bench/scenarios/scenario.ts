/** Values of one round of a scenario, by the name of their series. Seconds, unless the name ends in another unit. */
export type Round = Readonly<Record<string, number>>;

/** A piece of the measurement: what is compared with each other is measured in one round. */
export interface Scenario {
  readonly id: string;
  /** How many rounds a full measurement has; BENCH_RUNS lowers it. */
  readonly rounds: number;
  /** Measures everything once; odd and even rounds measure in opposite order. */
  round(number: number): Promise<Round>;
}

/** Runs the competitors one after the other, the other way round every second time, and joins what they measured. */
export async function inAlternation(number: number, competitors: readonly (() => Promise<Round>)[]): Promise<Round> {
  const order = number % 2 === 0 ? [...competitors].reverse() : competitors;
  const rounds: Round[] = [];
  for (const compete of order) rounds.push(await compete());
  return Object.assign({}, ...rounds) as Round;
}

/** The same values under longer names: `guide.server.` before each. */
export function named(prefix: string, values: Round): Round {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [`${prefix}${name}`, value]));
}
