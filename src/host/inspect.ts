import type { Inspection } from '../core/types.ts';

/**
 * What systeminformation finds out: the only file that uses it, loaded when first needed. It starts a dozen processes of its own
 * (some 40 ms), so nothing that every run needs is asked of it.
 */
export async function inspectHost(): Promise<Inspection> {
  const { default: systeminformation } = await import('systeminformation');
  const [hardware, memory, fileSystems] = await Promise.all([
    systeminformation.system(),
    systeminformation.mem(),
    systeminformation.fsSize(),
  ]);
  return {
    manufacturer: hardware.manufacturer,
    model: hardware.model,
    memoryBytes: memory.total,
    swapBytes: memory.swaptotal,
    fileSystems: fileSystems.map(({ mount, size, available }) => ({
      mount,
      sizeBytes: size,
      availableBytes: available,
    })),
  };
}
