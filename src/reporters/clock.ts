/** Time for the reporters. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Calls `tick` at this interval, without keeping the process alive for it, until the returned function is called. */
  every(intervalMs: number, tick: () => void): () => void;
}

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  every(intervalMs, tick) {
    const timer = setInterval(tick, intervalMs).unref();
    return () => clearInterval(timer);
  },
};
