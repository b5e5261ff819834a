/** What of MessagePack the agents' RPC needs: maps, lists, text, bytes, whole numbers, booleans, nil. Source: msgpack/spec.md. */
export type Packed =
  | null
  | boolean
  | number
  | string
  | Uint8Array
  | readonly Packed[]
  | { readonly [key: string]: Packed };

export function pack(value: Packed): Buffer {
  if (value === null) return Buffer.from([0xc0]);
  if (typeof value === 'boolean') return Buffer.from([value ? 0xc3 : 0xc2]);
  if (typeof value === 'number') return number(value);
  if (typeof value === 'string') return text(Buffer.from(value));
  if (value instanceof Uint8Array) return text(value);
  if (Array.isArray(value)) return Buffer.concat([header(0x90, 0xdc, value.length), ...value.map(pack)]);
  const entries = Object.entries(value);
  return Buffer.concat([
    header(0x80, 0xde, entries.length),
    ...entries.flatMap(([key, item]) => [pack(key), pack(item as Packed)]),
  ]);
}

function number(value: number): Buffer {
  if (value >= 0 && value < 128) return Buffer.from([value]);
  const bytes = Buffer.alloc(9);
  bytes[0] = 0xd3;
  bytes.writeBigInt64BE(BigInt(value), 1);
  return bytes;
}

/** Go's codec takes bytes for text and text for bytes. */
function text(bytes: Uint8Array): Buffer {
  const head =
    bytes.length < 32 ? Buffer.from([0xa0 | bytes.length]) : Buffer.from([0xda, bytes.length >> 8, bytes.length & 255]);
  return Buffer.concat([head, bytes]);
}

function header(short: number, long: number, length: number): Buffer {
  return length < 16 ? Buffer.from([short | length]) : Buffer.from([long, length >> 8, length & 255]);
}

/** The values that stand one after another in `bytes`; `undefined` where the last of `count` is not whole yet. */
export function unpack(bytes: Buffer, count: number): readonly unknown[] | undefined {
  let at = 0;
  try {
    return Array.from({ length: count }, one);
  } catch {
    return undefined;
  }

  function take(length: number): Buffer {
    if (at + length > bytes.length) throw new RangeError('more is to come');
    at += length;
    return bytes.subarray(at - length, at);
  }

  function unsigned(length: number): number {
    return Number(BigInt(`0x${take(length).toString('hex')}`));
  }

  function many(length: number): unknown[] {
    return Array.from({ length }, one);
  }

  function map(length: number): Record<string, unknown> {
    return Object.fromEntries(Array.from({ length }, () => [String(one()), one()]));
  }

  function one(): unknown {
    const kind = unsigned(1);
    if (kind < 0x80) return kind;
    if (kind < 0x90) return map(kind & 15);
    if (kind < 0xa0) return many(kind & 15);
    if (kind < 0xc0) return take(kind & 31).toString();
    if (kind >= 0xe0) return kind - 256;
    switch (kind) {
      case 0xc0:
        return null;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xca:
        return take(4).readFloatBE();
      case 0xcb:
        return take(8).readDoubleBE();
      case 0xc4:
      case 0xd9:
        return take(unsigned(1)).toString();
      case 0xc5:
      case 0xda:
        return take(unsigned(2)).toString();
      case 0xc6:
      case 0xdb:
        return take(unsigned(4)).toString();
      case 0xcc:
        return unsigned(1);
      case 0xcd:
        return unsigned(2);
      case 0xce:
        return unsigned(4);
      case 0xcf:
        return unsigned(8);
      case 0xd0:
        return take(1).readInt8();
      case 0xd1:
        return take(2).readInt16BE();
      case 0xd2:
        return take(4).readInt32BE();
      case 0xd3:
        return Number(take(8).readBigInt64BE());
      case 0xdc:
        return many(unsigned(2));
      case 0xdd:
        return many(unsigned(4));
      case 0xde:
        return map(unsigned(2));
      case 0xdf:
        return map(unsigned(4));
      // Extensions: what is in them does not matter here, only how long they are.
      case 0xc7:
        return take(unsigned(1) + 1).length;
      case 0xd4:
      case 0xd5:
      case 0xd6:
      case 0xd7:
      case 0xd8:
        return take(1 + (1 << (kind - 0xd4))).length;
      default:
        throw new Error(`no MessagePack: ${kind}`);
    }
  }
}
