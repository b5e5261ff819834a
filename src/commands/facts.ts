import { type ExitCode, exitCodes } from '../core/exit-codes.ts';
import { gatherFacts } from '../facts/gather.ts';
import { factsDocument, renderFacts } from '../reporters/facts-text.ts';
import type { CommandContext } from './command.ts';

/** Who asks waits for no first boot. */
const metadataTimeoutMs = 2000;

/** `facts`: what was found out about this machine. */
export async function run({ host, settings, answer }: CommandContext): Promise<ExitCode> {
  const [facts, inspection] = await Promise.all([gatherFacts(host, { metadataTimeoutMs }), host.inspect()]);
  const document = () => `${JSON.stringify(factsDocument(facts, inspection), undefined, 2)}\n`;
  answer(settings.json === true ? document() : renderFacts(facts, inspection));
  return exitCodes.converged;
}
