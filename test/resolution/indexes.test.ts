import { gzipSync, zstdCompressSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { decompress, primaryLocation, searchAptIndex, searchDnfIndex } from '../../src/resolution/indexes.ts';

const aptIndex = `Package: nomad
Architecture: amd64
Version: 2.0.5-1
Depends: openssl
Description: schedules jobs
 Package: consul

Package: nomad-autoscaler
Version: 0.4.0-1

Package: nomad
Architecture: amd64
Version: 2.0.7-1

Package: consul
Version: 1.21.5-1
`;

test('every version of the wanted packages is found in an APT index, and of no other', () => {
  expect(searchAptIndex(aptIndex, ['nomad', 'consul'])).toEqual([
    { name: 'nomad', packageVersion: '2.0.5-1' },
    { name: 'nomad', packageVersion: '2.0.7-1' },
    { name: 'consul', packageVersion: '1.21.5-1' },
  ]);
  expect(searchAptIndex('', ['nomad'])).toEqual([]);
});

const dnfIndex = `<metadata packages="3">
<package type="rpm"><name>nomad</name><arch>x86_64</arch><version epoch="0" ver="2.0.7" rel="1"/></package>
<package type="rpm"><name>nomad</name><arch>aarch64</arch><version epoch="0" ver="2.0.8" rel="1"/></package>
<package type="rpm"><name>nomad-pack</name><arch>x86_64</arch><version epoch="0" ver="0.3.0" rel="1"/></package>
</metadata>`;

test('versions in a DNF index are those of the architecture', () => {
  expect(searchDnfIndex(dnfIndex, ['nomad'], 'x86_64')).toEqual([{ name: 'nomad', packageVersion: '2.0.7-1' }]);
  expect(searchDnfIndex(dnfIndex, ['nomad'], 'aarch64')).toEqual([{ name: 'nomad', packageVersion: '2.0.8-1' }]);
});

test('the list of packages is where repomd.xml says', () => {
  const repomd = `<repomd>
  <data type="filelists"><location href="repodata/a-filelists.xml.gz"/></data>
  <data type="primary"><checksum type="sha256">00</checksum><location href="repodata/b-primary.xml.zst"/></data>
</repomd>`;
  expect(primaryLocation(repomd)).toBe('repodata/b-primary.xml.zst');
  expect(primaryLocation('<repomd/>')).toBeUndefined();
});

test('gzip and zstd are read, other compressions are named', async () => {
  expect(await decompress('https://x/Packages.gz', gzipSync(aptIndex))).toBe(aptIndex);
  expect(await decompress('https://x/primary.xml.zst', zstdCompressSync(dnfIndex))).toBe(dnfIndex);
  expect(await decompress('https://x/primary.xml', Buffer.from(dnfIndex))).toBe(dnfIndex);
  await expect(decompress('https://x/primary.xml.xz', new Uint8Array())).rejects.toMatchObject({
    code: 'upstream-refused',
    message: expect.stringContaining('.xz'),
  });
});

test('an index that was cut off is not taken for a short one', async () => {
  const whole = gzipSync(aptIndex);
  await expect(decompress('https://x/Packages.gz', whole.subarray(0, whole.length - 9))).rejects.toMatchObject({
    code: 'checksum-mismatch',
  });
});
