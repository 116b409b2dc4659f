/**
 * An authenticator in software (WebAuthn level 3, section 6), with a key of its own, that does as it is told where a real
 * one would refuse: another site, another origin, a counter that stands still. For tests.
 */
import { createHash, generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto';

const PRESENT = 0x01;
const VERIFIED = 0x04;
const HAS_KEY = 0x40;

export interface Ceremony {
  readonly challenge: string;
  readonly origin?: string;
  readonly rpId?: string;
  /** `webauthn.get` or `webauthn.create`. */
  readonly type?: string;
  readonly flags?: number;
  readonly counter?: number;
  readonly crossOrigin?: boolean;
  /** Whose it is, as the page says when it is made; when it is shown, what it claims. Null: nothing. */
  readonly user?: string | null;
  /** Signs in its place. */
  readonly key?: KeyObject;
}

export class Authenticator {
  readonly id: Buffer = randomBytes(16);
  readonly #origin: string;
  readonly #rpId: string;
  readonly #keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  #counter = 0;
  #user: string | null = null;

  constructor(origin: string) {
    this.#origin = origin;
    this.#rpId = new URL(origin).hostname;
  }

  /** The JSON that the page's script writes into the form. */
  create(wish: Ceremony): string {
    this.#user = wish.user ?? null;
    const { x = '', y = '' } = this.#keys.publicKey.export({ format: 'jwk' });
    const key = new Map<unknown, unknown>([
      [1, 2],
      [3, -7],
      [-1, 1],
      [-2, Buffer.from(x, 'base64url')],
      [-3, Buffer.from(y, 'base64url')],
    ]);
    const length = Buffer.alloc(2);
    length.writeUInt16BE(this.id.length);
    const data = Buffer.concat([
      this.#data({ flags: PRESENT | VERIFIED | HAS_KEY, ...wish }),
      Buffer.alloc(16),
      length,
      this.id,
      cbor(key),
    ]);
    const attestation = new Map<unknown, unknown>([
      ['fmt', 'none'],
      ['attStmt', new Map()],
      ['authData', data],
    ]);
    const clientData = this.#clientData({ type: 'webauthn.create', ...wish });
    return this.#answer({
      clientDataJSON: clientData.toString('base64url'),
      attestationObject: cbor(attestation).toString('base64url'),
      transports: ['internal'],
    });
  }

  get(wish: Ceremony): string {
    const data = this.#data({ flags: PRESENT | VERIFIED, counter: ++this.#counter, ...wish });
    const clientData = this.#clientData({ type: 'webauthn.get', ...wish });
    const user = wish.user === undefined ? this.#user : wish.user;
    const signed = Buffer.concat([data, createHash('sha256').update(clientData).digest()]);
    return this.#answer({
      clientDataJSON: clientData.toString('base64url'),
      authenticatorData: data.toString('base64url'),
      signature: sign('sha256', signed, wish.key ?? this.#keys.privateKey).toString('base64url'),
      ...(user === null ? {} : { userHandle: user }),
    });
  }

  #data({ rpId = this.#rpId, flags = 0, counter = 0 }: Ceremony): Buffer {
    const tail = Buffer.alloc(5);
    tail.writeUInt8(flags, 0);
    tail.writeUInt32BE(counter, 1);
    return Buffer.concat([createHash('sha256').update(rpId).digest(), tail]);
  }

  #clientData({ type, challenge, origin = this.#origin, crossOrigin = false }: Ceremony): Buffer {
    return Buffer.from(JSON.stringify({ type, challenge, origin, crossOrigin }));
  }

  #answer(response: object): string {
    const id = this.id.toString('base64url');
    return JSON.stringify({ id, rawId: id, type: 'public-key', clientExtensionResults: {}, response });
  }
}

/** As much of RFC 8949 as an attestation needs. */
function cbor(value: unknown): Buffer {
  if (typeof value === 'number') return value < 0 ? head(1, -1 - value) : head(0, value);
  if (typeof value === 'string') return Buffer.concat([head(3, Buffer.byteLength(value)), Buffer.from(value)]);
  if (Buffer.isBuffer(value)) return Buffer.concat([head(2, value.length), value]);
  if (!(value instanceof Map)) throw new TypeError('Cannot write CBOR: not a kind that is known here');
  const entries = [...(value as Map<unknown, unknown>)].flatMap(([name, one]) => [cbor(name), cbor(one)]);
  return Buffer.concat([head(5, entries.length / 2), ...entries]);
}

function head(major: number, size: number): Buffer {
  if (size < 24) return Buffer.of((major << 5) | size);
  if (size < 256) return Buffer.of((major << 5) | 24, size);
  return Buffer.of((major << 5) | 25, size >> 8, size & 255);
}
