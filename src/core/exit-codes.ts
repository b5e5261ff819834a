/** What the process tells its caller: see the table in docs/exit-codes.md. */
export const exitCodes = {
  converged: 0,
  failed: 1,
  usage: 2,
  unsupported: 3,
  locked: 4,
  bug: 70,
  interrupted: 130,
  terminated: 143,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** Whether a run that ends so has touched nothing, and so leaves no log either. */
export function isRefusal(exitCode: ExitCode): boolean {
  return exitCode === exitCodes.usage || exitCode === exitCodes.unsupported || exitCode === exitCodes.locked;
}
