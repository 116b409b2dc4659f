/**
 * Reads MessagePack as oauth2-proxy writes it: maps with text keys, texts, bytes, arrays, numbers, truth values, nil and
 * times (extension -1, as milliseconds). Throws for everything else, and for what does not end with its value.
 */
const MAX_DEPTH = 16;
const TIMESTAMP = -1;

export function readMessagePack(bytes: Buffer): unknown {
  const reader = new Reader(bytes);
  const value = reader.value(0);
  if (reader.at !== bytes.length) throw new SyntaxError('Cannot read MessagePack: something follows');
  return value;
}

class Reader {
  at = 0;
  readonly #bytes: Buffer;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  value(depth: number): unknown {
    if (depth > MAX_DEPTH) throw new SyntaxError('Cannot read MessagePack: it is too deep');
    const type = this.#uint(1);
    if (type < 0x80) return type;
    if (type < 0x90) return this.#map(type & 0x0f, depth);
    if (type < 0xa0) return this.#array(type & 0x0f, depth);
    if (type < 0xc0) return this.#text(type & 0x1f);
    if (type >= 0xe0) return type - 0x1_00;
    return this.#typed(type, depth);
  }

  // oxlint-disable-next-line complexity -- the table of the format
  #typed(type: number, depth: number): unknown {
    switch (type) {
      case 0xc0:
        return null;
      case 0xc2:
      case 0xc3:
        return type === 0xc3;
      case 0xc4:
      case 0xc5:
      case 0xc6:
        return Buffer.from(this.#take(this.#uint(1 << (type - 0xc4))));
      case 0xc7:
        return this.#extension(this.#uint(1));
      case 0xca:
        return this.#take(4).readFloatBE();
      case 0xcb:
        return this.#take(8).readDoubleBE();
      case 0xcc:
      case 0xcd:
      case 0xce:
        return this.#uint(1 << (type - 0xcc));
      case 0xcf:
        return Number(this.#take(8).readBigUInt64BE());
      case 0xd0:
      case 0xd1:
      case 0xd2: {
        const size = 1 << (type - 0xd0);
        return this.#take(size).readIntBE(0, size);
      }
      case 0xd3:
        return Number(this.#take(8).readBigInt64BE());
      case 0xd6:
      case 0xd7:
        return this.#extension(type === 0xd6 ? 4 : 8);
      case 0xd9:
      case 0xda:
      case 0xdb:
        return this.#text(this.#uint(1 << (type - 0xd9)));
      case 0xdc:
      case 0xdd:
        return this.#array(this.#uint(type === 0xdc ? 2 : 4), depth);
      case 0xde:
      case 0xdf:
        return this.#map(this.#uint(type === 0xde ? 2 : 4), depth);
      default:
        throw new SyntaxError(`Cannot read MessagePack: type ${type.toString(16)} is not known`);
    }
  }

  #take(length: number): Buffer {
    const end = this.at + length;
    if (end > this.#bytes.length) throw new RangeError('Cannot read MessagePack: it ends in a value');
    const taken = this.#bytes.subarray(this.at, end);
    this.at = end;
    return taken;
  }

  #uint(size: number): number {
    return this.#take(size).readUIntBE(0, size);
  }

  #text(length: number): string {
    return this.#take(length).toString('utf8');
  }

  #array(length: number, depth: number): unknown[] {
    const items: unknown[] = [];
    for (let i = 0; i < length; i++) items.push(this.value(depth + 1));
    return items;
  }

  #map(length: number, depth: number): Record<string, unknown> {
    const entries: [string, unknown][] = [];
    for (let i = 0; i < length; i++) {
      const key = this.value(depth + 1);
      if (typeof key !== 'string') throw new SyntaxError('Cannot read MessagePack: a key is no text');
      entries.push([key, this.value(depth + 1)]);
    }
    return Object.fromEntries(entries);
  }

  /** Seconds; or nanoseconds in 30 bits and seconds in 34; or nanoseconds in 4 bytes and seconds in 8. */
  #extension(length: number): number {
    const type = this.#take(1).readInt8();
    const bytes = this.#take(length);
    if (type !== TIMESTAMP) throw new SyntaxError(`Cannot read MessagePack: extension ${type} is not known`);
    if (length === 4) return bytes.readUInt32BE() * 1_000;
    if (length === 12) return Number(bytes.readBigInt64BE(4)) * 1_000 + Math.floor(bytes.readUInt32BE() / 1e6);
    if (length !== 8) throw new SyntaxError('Cannot read MessagePack: a time has an odd length');
    const both = bytes.readBigUInt64BE();
    return Number(both & 0x3_ff_ff_ff_ffn) * 1_000 + Math.floor(Number(both >> 34n) / 1e6);
  }
}
