import { defineConfig } from 'vitest/config';

// Set on many a developer's machine, it would hide a missing certificate authority: Node reads it as a worker starts.
delete process.env['NODE_EXTRA_CA_CERTS'];
delete process.env['NODE_OPTIONS'];

const lab = ['test/lab/**/*.test.ts', 'test/**/*.lab.test.ts'];

/** What takes many minutes, and a processor of its own: an emulated machine, an upgrade, and further ways to uninstall. Run by `make test-vm`. */
const machine = ['test/**/*.vm.test.ts'];

export default defineConfig({
  test: {
    restoreMocks: true,
    coverage: {
      provider: 'v8',
      include: ['src/**/*.ts'],
      reporter: ['text-summary', 'json-summary', 'html'],
      reportsDirectory: 'coverage',
    },
    projects: [
      {
        extends: true,
        test: { name: 'unit', include: ['test/**/*.test.ts'], exclude: [...lab, ...machine], testTimeout: 20_000 },
      },
      {
        // Real nodes on one machine: one file after the other, and time to boot them.
        extends: true,
        test: {
          name: 'lab',
          include: lab,
          exclude: machine,
          fileParallelism: false,
          maxWorkers: 1,
          testTimeout: 600_000,
          hookTimeout: 900_000,
          teardownTimeout: 120_000,
        },
      },
      {
        extends: true,
        test: { name: 'vm', include: machine, fileParallelism: false, maxWorkers: 1, testTimeout: 1_800_000, hookTimeout: 1_800_000 },
      },
    ],
  },
});
