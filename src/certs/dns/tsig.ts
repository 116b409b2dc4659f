/** Signs DNS messages with a shared key, and checks the answer's signature: TSIG (RFC 8945). */
import { createHmac, timingSafeEqual } from 'node:crypto';
import {
  CLASS,
  DnsMessageError,
  readMessage,
  readName,
  type ResourceRecord,
  TYPE,
  words,
  writeName,
} from './message.ts';

export const TSIG_ALGORITHMS = ['hmac-sha256', 'hmac-sha384', 'hmac-sha512'] as const;
export type TsigAlgorithm = (typeof TSIG_ALGORITHMS)[number];

export interface TsigKey {
  readonly name: string;
  readonly algorithm: TsigAlgorithm;
  readonly secret: Uint8Array;
}

/** Seconds that the clocks may differ (section 10 recommends 300). */
const FUDGE = 300;
const ERRORS: Readonly<Record<number, string>> = { 16: 'BADSIG', 17: 'BADKEY', 18: 'BADTIME', 22: 'BADTRUNC' };

/** Why an answer is not believed, or why the server refuses our signature. */
export class TsigError extends Error {
  override readonly name = 'TsigError';
}

interface Variables {
  readonly seconds: number;
  readonly fudge: number;
  readonly error: number;
  readonly other: Uint8Array;
}

export interface SignedMessage {
  readonly bytes: Buffer;
  readonly mac: Buffer;
}

export function signMessage(message: Buffer, key: TsigKey, now: number): SignedMessage {
  const variables = { seconds: Math.floor(now / 1000), fudge: FUDGE, error: 0, other: new Uint8Array() };
  const mac = macOf([message], key, variables);
  const data = Buffer.concat([
    writeName(key.algorithm),
    time(variables.seconds),
    words(FUDGE, mac.length),
    mac,
    words(message.readUInt16BE(0), 0, 0),
  ]);
  const record = Buffer.concat([writeName(key.name), words(TYPE.TSIG, CLASS.ANY, 0, 0, data.length), data]);
  const bytes = Buffer.concat([message, record]);
  bytes.writeUInt16BE(message.readUInt16BE(10) + 1, 10);
  return { bytes, mac };
}

/** Throws TsigError unless the answer carries a good signature made with the key over the request's. */
export function verifyAnswer(answer: Buffer, key: TsigKey, requestMac: Buffer, now: number): void {
  const record = readMessage(answer).additionals.at(-1);
  if (record?.type !== TYPE.TSIG) throw new TsigError('its answer is not signed');
  const tsig = readTsig(answer, record);
  if (tsig.error !== 0) throw new TsigError(`it does not take our signature: ${ERRORS[tsig.error] ?? tsig.error}`);
  if (record.name !== key.name || tsig.algorithm !== key.algorithm)
    throw new TsigError('its answer is signed with another key');
  // As it was before the record was added: without it, and with the request's id.
  const unsigned = Buffer.from(answer.subarray(0, record.start));
  unsigned.writeUInt16BE(unsigned.readUInt16BE(10) - 1, 10);
  unsigned.writeUInt16BE(tsig.originalId, 0);
  const wanted = macOf([words(requestMac.length), requestMac, unsigned], key, tsig);
  if (wanted.length !== tsig.mac.length || !timingSafeEqual(wanted, tsig.mac))
    throw new TsigError('the signature of its answer is wrong');
  if (Math.abs(now / 1000 - tsig.seconds) > tsig.fudge)
    throw new TsigError('its clock and ours differ by more than five minutes');
}

interface Tsig extends Variables {
  readonly algorithm: string;
  readonly mac: Buffer;
  readonly originalId: number;
}

function readTsig(bytes: Buffer, { data }: ResourceRecord): Tsig {
  const buffer = Buffer.from(data);
  const { name: algorithm, end: at } = readName(buffer, 0);
  try {
    const size = buffer.readUInt16BE(at + 8);
    const after = at + 10 + size;
    return {
      algorithm,
      seconds: buffer.readUIntBE(at, 6),
      fudge: buffer.readUInt16BE(at + 6),
      mac: buffer.subarray(at + 10, after),
      originalId: buffer.readUInt16BE(after),
      error: buffer.readUInt16BE(after + 2),
      other: buffer.subarray(after + 6, after + 6 + buffer.readUInt16BE(after + 4)),
    };
  } catch {
    throw new DnsMessageError(`a TSIG record of ${bytes.length} bytes ends too soon`);
  }
}

/** Section 4.3.3: what is digested after the message. */
function macOf(parts: readonly Buffer[], key: TsigKey, { seconds, fudge, error, other }: Variables): Buffer {
  const hmac = createHmac(key.algorithm.replace('hmac-', ''), key.secret);
  for (const part of parts) hmac.update(part);
  const variables = [
    writeName(key.name),
    words(CLASS.ANY, 0, 0),
    writeName(key.algorithm),
    time(seconds),
    words(fudge, error, other.length),
    other,
  ];
  return hmac.update(Buffer.concat(variables)).digest();
}

function time(seconds: number): Buffer {
  const bytes = Buffer.alloc(6);
  bytes.writeUIntBE(seconds, 0, 6);
  return bytes;
}
