import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { DnsMessageError, readMessage, TYPE, writeQuestion } from './message.ts';
import { signMessage, TSIG_ALGORITHMS, TsigError, type TsigKey, verifyAnswer } from './tsig.ts';

const NOW = Date.parse('2026-01-01T00:00:00Z');
const KEY: TsigKey = {
  name: 'postern',
  algorithm: 'hmac-sha256',
  secret: Buffer.from('0123456789abcdef0123456789abcdef'),
};
const QUESTION = writeQuestion({ id: 42, name: 'example.com', type: TYPE.SOA, recursion: false });

/** A request's signature has no request before it; an answer's has. So a request is checked with no MAC before it. */
function signedBy(key: TsigKey, now = NOW): Buffer {
  return signMessage(QUESTION, key, now).bytes;
}

test('signMessage() adds a TSIG record as the last one and counts it', () => {
  const { additionals, id } = readMessage(signedBy(KEY));
  assert.equal(id, 42);
  assert.deepEqual(
    additionals.map(({ type, name }) => [type, name]),
    [
      [TYPE.OPT, ''],
      [TYPE.TSIG, 'postern'],
    ],
  );
});

test('signMessage() makes a MAC of the algorithm, over the time', () => {
  for (const [algorithm, length] of TSIG_ALGORITHMS.map((one, index) => [one, [32, 48, 64][index]] as const)) {
    const { mac } = signMessage(QUESTION, { ...KEY, algorithm }, NOW);
    assert.equal(mac.length, length);
    assert.notDeepEqual(mac, signMessage(QUESTION, { ...KEY, algorithm }, NOW + 1000).mac);
  }
});

test('verifyAnswer() refuses what is not signed, signed with another key, or signed for another request', () => {
  const mac = Buffer.alloc(32);
  assert.throws(
    () => verifyAnswer(QUESTION, KEY, mac, NOW),
    (error) => error instanceof TsigError && /not signed/.test(error.message),
  );
  assert.throws(() => verifyAnswer(signedBy({ ...KEY, name: 'other' }), KEY, mac, NOW), /another key/);
  assert.throws(() => verifyAnswer(signedBy({ ...KEY, algorithm: 'hmac-sha512' }), KEY, mac, NOW), /another key/);
  // The request's own bytes come back: without the MAC of the request in its digest, that is no answer.
  assert.throws(() => verifyAnswer(signedBy(KEY), KEY, mac, NOW), /signature of its answer is wrong/);
});

test('verifyAnswer() throws nothing but its own errors, whatever was changed on the way', () => {
  const good = signedBy(KEY);
  fc.assert(
    fc.property(fc.nat(good.length - 1), fc.nat(255), fc.nat(good.length), (at, octet, cut) => {
      const bytes = Buffer.from(good);
      bytes[at] = octet;
      for (const one of [bytes, bytes.subarray(0, cut)])
        assert.throws(
          () => verifyAnswer(one, KEY, Buffer.alloc(32), NOW),
          (error) => error instanceof TsigError || error instanceof DnsMessageError,
        );
    }),
    { numRuns: 2000 },
  );
});
