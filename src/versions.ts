/**
 * What this release was tested with, and what it trusts. Every constant names where it is from; flags override all of
 * them, since a mirror or a newer upstream may differ.
 */
import type { Architecture } from './facts/facts.ts';

/**
 * The minor lines that this release was tested with; the newest patch release of each is installed unless a flag says
 * otherwise. The tests run real agents of exactly these lines (docs/testing.md).
 */
export const testedLines = { nomad: '2.0', consul: '1.21' } as const;

export type Agent = keyof typeof testedLines;

/**
 * Releases that are installed only when asked for by their number.
 * Source: Nomad's CHANGELOG and upgrade guide: critical bugs in 1.7.0 and 1.7.1; 1.9.2 was withdrawn, it could lose the
 * cluster's state.
 */
export const withdrawnVersions: Readonly<Record<Agent, readonly string[]>> = {
  nomad: ['1.7.0', '1.7.1', '1.9.2'],
  consul: [],
};

/** The release of the CNI reference plugins, and the SHA-256 of its archives (github.com/containernetworking/plugins, .sha256 files). */
export const cniPlugins: { readonly version: string; readonly sha256: Readonly<Record<Architecture, string>> } = {
  version: '1.9.1',
  sha256: {
    amd64: 'b98f74a0f8522f0a83867178729c1aa70f2158f90c45a2ca8fa791db1c76b303',
    arm64: '56171987d3947707c3563db2f4001bccaf50fd63468611b9f3cbecb1375ee7ec',
  },
};

/**
 * Fingerprints of the primary keys that may sign packages, upper-case hexadecimal.
 * Sources: HashiCorp, https://www.hashicorp.com/en/official-packaging-guide, the key that replaced 798AEC65... in
 * September 2026 (HCSEC-2026-33); Docker, https://docs.docker.com/engine/install/, which signs .deb and .rpm packages
 * with keys of their own.
 */
export const acceptedKeys = {
  hashicorp: ['D55C0D1AC78A8D8126CB631CFC9CA96ACA026560'],
  dockerApt: ['9DC858229FC7DD38854AE2D88D81803C0EBFCD88'],
  dockerDnf: ['060A61C51B558A7F742B77AAC52FEB6B621E9F35'],
} as const satisfies Record<string, readonly string[]>;
