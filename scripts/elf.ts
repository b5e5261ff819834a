/** A section of a 64-bit little-endian ELF file: `address` in memory, `offset` and `size` in the file, all in bytes. */
interface Section {
  name: string;
  address: number;
  offset: number;
  size: number;
}

/** What `__atomic_compare_exchange` is on one machine, for the only size that Node calls it with. */
interface Machine {
  code: Buffer;
  jumpSlot: number;
}

/**
 * `bool __atomic_compare_exchange(size_t size, void *object, void *expected, void *desired, int, int)` of eight bytes,
 * sequentially consistent. Any other size stops the program (ud2, brk) instead of computing something wrong.
 */
const machines = new Map<number, Machine>([
  [
    62, // EM_X86_64
    {
      jumpSlot: 7, // R_X86_64_JUMP_SLOT
      code: assembled(`
        f30f1efa    endbr64
        488b02      mov    (%rdx),%rax          the expected value
        488b09      mov    (%rcx),%rcx          the desired value
        4883ff08    cmp    $8,%rdi
        750c        jne    trap
        f0480fb10e  lock cmpxchg %rcx,(%rsi)
        488902      mov    %rax,(%rdx)          what was found: on success it is what was expected
        0f94c0      sete   %al
        c3          ret
        0f0b        trap: ud2`),
    },
  ],
  [
    183, // EM_AARCH64
    {
      jumpSlot: 1026, // R_AARCH64_JUMP_SLOT
      code: assembled(`
        5f2403d5    bti    c
        1f2000f1    cmp    x0, #8
        c1010054    b.ne   trap
        440040f9    ldr    x4, [x2]             the expected value
        650040f9    ldr    x5, [x3]             the desired value
        26fc5fc8    again: ldaxr x6, [x1]
        df0004eb    cmp    x6, x4
        a1000054    b.ne   different
        25fc07c8    stlxr  w7, x5, [x1]
        87ffff35    cbnz   w7, again
        20008052    mov    w0, #1
        c0035fd6    ret
        5f3f03d5    different: clrex
        460000f9    str    x6, [x2]
        00008052    mov    w0, #0
        c0035fd6    ret
        200020d4    trap: brk #1`),
    },
  ],
]);

/**
 * The same Node.js executable without its need for libatomic.so.1, which a fresh Debian, Ubuntu or Rocky does not have.
 * Official builds since Node 25 take one function from it. The function is written into the padding behind .plt and its
 * slot in the global offset table is filled in; the entries that name the library become copies of libc's. Nothing moves.
 * Throws when the file needs more of libatomic than that, so that a newer Node is looked at again.
 * See docs/decisions/0001-single-executable.md.
 */
export function withoutLibatomic(executable: Buffer): Buffer {
  const elf = Buffer.from(executable);
  const machine = machines.get(elf.readUInt16LE(18));
  if (machine === undefined || elf.readUInt32BE(0) !== 0x7f454c46 || elf.readUInt16LE(16) !== 2) {
    throw new Error('not a position-dependent ELF executable for x86-64 or aarch64');
  }
  const sections = readSections(elf);
  const section = (name: string): Section =>
    only(
      sections.filter(candidate => candidate.name === name),
      name,
    );
  const strings = section('.dynstr');
  const string = (offset: number): string => cString(elf, strings.offset + offset);

  // Where a library's name stands in .dynamic (tag, value: 8 bytes each; tag 1 is DT_NEEDED).
  const neededName = (library: string): number[] =>
    entries(section('.dynamic'), 16)
      .filter(entry => elf.readUInt32LE(entry) === 1 && string(elf.readUInt32LE(entry + 8)) === library)
      .map(entry => entry + 8);
  const libatomic = neededName('libatomic.so.1')[0];
  if (libatomic === undefined) return elf;
  elf.writeUInt32LE(elf.readUInt32LE(only(neededName('libc.so.6'), 'need for libc')), libatomic);

  // .gnu.version_r: which version of which library the symbols with this index come from.
  const versions = readVersionNeeds(elf, section('.gnu.version_r').offset);
  const atomicVersion = only(
    versions.filter(need => string(elf.readUInt32LE(need.file)) === 'libatomic.so.1'),
    'version',
  );
  const libcVersions = versions.filter(need => string(elf.readUInt32LE(need.file)) === 'libc.so.6');
  const libcVersion = only(libcVersions.slice(0, 1), 'version of libc');
  elf.copy(elf, atomicVersion.file, libcVersion.file, libcVersion.file + 4);
  elf.copy(elf, atomicVersion.hash, libcVersion.hash, libcVersion.hash + 4);
  elf.copy(elf, atomicVersion.name, libcVersion.name, libcVersion.name + 4);

  const symbolIndexes = entries(section('.gnu.version'), 2)
    .map((entry, index) => ({ index, version: elf.readUInt16LE(entry) }))
    .filter(symbol => symbol.version === atomicVersion.index);
  const symbol = only(symbolIndexes, 'symbol of libatomic').index;
  const symbolName = string(elf.readUInt32LE(section('.dynsym').offset + symbol * 24));
  if (symbolName !== '__atomic_compare_exchange') throw new Error(`the runtime needs ${symbolName} of libatomic`);

  const uses = ['.rela.dyn', '.rela.plt']
    .flatMap(name => entries(section(name), 24))
    .filter(entry => elf.readUInt32LE(entry + 12) === symbol);
  const relocation = only(uses, 'relocation for libatomic');
  if (elf.readUInt32LE(relocation + 8) !== machine.jumpSlot)
    throw new Error('libatomic is used otherwise than by a call');

  // The padding between .plt and .text is mapped, executable, and zero.
  const plt = section('.plt');
  const text = section('.text');
  const padding = Math.ceil((plt.offset + plt.size) / 16) * 16;
  const address = plt.address + (padding - plt.offset);
  const room = elf.subarray(padding, padding + machine.code.length);
  if (
    text.offset - plt.offset !== text.address - plt.address ||
    padding + room.length > text.offset ||
    room.some(Boolean)
  ) {
    throw new Error('no room behind .plt');
  }
  machine.code.copy(elf, padding);

  const got = section('.got');
  const slot = elf.readUInt32LE(relocation) - got.address + got.offset;
  if (slot < got.offset || slot >= got.offset + got.size) throw new Error('the slot is not in .got');
  elf.writeBigUInt64LE(BigInt(address), slot);
  elf.fill(0, relocation, relocation + 24); // R_X86_64_NONE and R_AARCH64_NONE are both 0

  return elf;
}

function readSections(elf: Buffer): Section[] {
  const table = Number(elf.readBigUInt64LE(40));
  const headers = Array.from({ length: elf.readUInt16LE(60) }, (_, index) => table + index * 64);
  const names = Number(elf.readBigUInt64LE(table + elf.readUInt16LE(62) * 64 + 24));
  return headers.map(header => ({
    name: cString(elf, names + elf.readUInt32LE(header)),
    address: Number(elf.readBigUInt64LE(header + 16)),
    offset: Number(elf.readBigUInt64LE(header + 24)),
    size: Number(elf.readBigUInt64LE(header + 32)),
  }));
}

/** Every version that is needed of a library: where its file, hash and name stand, and the index that symbols use. */
function readVersionNeeds(elf: Buffer, start: number): { file: number; hash: number; name: number; index: number }[] {
  const needs = [];
  for (let need = start, next = -1; next !== 0; need += next) {
    for (let version = need + elf.readUInt32LE(need + 8), following = -1; following !== 0; version += following) {
      needs.push({ file: need + 4, hash: version, name: version + 8, index: elf.readUInt16LE(version + 6) });
      following = elf.readUInt32LE(version + 12);
    }
    next = elf.readUInt32LE(need + 12);
  }
  return needs;
}

function entries(section: Section, size: number): number[] {
  return Array.from({ length: section.size / size }, (_, index) => section.offset + index * size);
}

function only<T>(candidates: readonly T[], what: string): T {
  const [first, ...others] = candidates;
  if (first === undefined || others.length > 0) throw new Error(`expected one ${what}, found ${candidates.length}`);
  return first;
}

function cString(elf: Buffer, offset: number): string {
  return elf.toString('latin1', offset, elf.indexOf(0, offset));
}

/** The bytes of a listing: the first word of every line. */
function assembled(listing: string): Buffer {
  const lines = listing.trim().split('\n');
  return Buffer.from(lines.map(line => line.trim().split(' ')[0]).join(''), 'hex');
}
