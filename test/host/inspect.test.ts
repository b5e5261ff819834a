import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { inspectHost } from '../../src/host/inspect.ts';

test('this machine is inspected: its memory is what the kernel says, and its root has a size', async () => {
  const inspection = await inspectHost();
  const memTotalKib = Number(/^MemTotal:\s*(\d+) kB/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1]);
  expect(inspection.memoryBytes).toBe(memTotalKib * 1024);
  expect(inspection.fileSystems.every(({ sizeBytes, availableBytes }) => sizeBytes >= availableBytes)).toBe(true);
  expect(inspection.fileSystems.find(({ mount }) => mount === '/')?.sizeBytes).toBeGreaterThan(0);
});
