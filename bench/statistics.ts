/** What is said of a series of measurements. */
export interface Summary {
  readonly runs: number;
  readonly median: number;
  readonly min: number;
  readonly max: number;
  /** Median absolute deviation from the median: the noise, which one outlier does not change. */
  readonly deviation: number;
}

/** Throws for an empty series: there is no figure without a measurement. */
export function summarize(values: readonly number[]): Summary {
  const middle = median(values);
  return {
    runs: values.length,
    median: middle,
    min: Math.min(...values),
    max: Math.max(...values),
    deviation: median(values.map(value => Math.abs(value - middle))),
  };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)];
  const lower = sorted[Math.ceil(sorted.length / 2) - 1];
  if (upper === undefined || lower === undefined) throw new Error('no measurement');
  return (lower + upper) / 2;
}
