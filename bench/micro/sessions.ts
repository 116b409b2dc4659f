/**
 * What finding a session costs by how many there are: hashing its token, and the look-up by that in a Map of 1 and
 * of 100 000, each time by a string that is made anew, as a request brings it. The floor that `bench:scale` stands on.
 */
import { randomBytes } from 'node:crypto';
import { keyOfToken, mintToken } from '../../src/session/token.ts';

const MANY = 100_000;
const LOOKUPS = 2_000_000;

/** Nanoseconds a call, the best of five. */
function measure(work: (at: number) => unknown, count: number): number {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 5; round++) {
    const before = performance.now();
    for (let at = 0; at < count; at++) work(at);
    best = Math.min(best, ((performance.now() - before) / count) * 1e6);
  }
  return best;
}

const print = (label: string, nanoseconds: number): void =>
  console.log(`${label.padEnd(66)} ${nanoseconds.toFixed(0).padStart(6)} ns`);

const tokens = Array.from({ length: MANY }, () => mintToken());
/** Keys as hashing gives them: strings of their own, not those that the Map holds. */
const bytes = tokens.map((token) => Buffer.from(keyOfToken(token)));
const entry = (key: string): object => ({ key, person: null, expiresAt: 1, usedAt: 1 });
const one = new Map(tokens.slice(0, 1).map((token) => [keyOfToken(token), entry(token)]));
const many = new Map(tokens.map((token) => [keyOfToken(token), entry(token)]));
// So that neighbours in time are no neighbours in memory.
const order = Uint32Array.from({ length: MANY }, () => randomBytes(4).readUInt32LE() % MANY);
const keyAt = (at: number): string => (bytes[at] as Buffer).toString('latin1');

print(
  'making the key as a string of its own',
  measure((at) => keyAt(order[at % MANY] as number).length, LOOKUPS),
);
print(
  'that, and a look-up in a Map of 1',
  measure(() => one.get(keyAt(0)), LOOKUPS),
);
print(
  `that, and a look-up in a Map of ${MANY}, in turn at random`,
  measure((at) => many.get(keyAt(order[at % MANY] as number)), LOOKUPS),
);
print(
  'hashing a token (SHA-256, hex)',
  measure((at) => keyOfToken(tokens[order[at % MANY] as number] as string), LOOKUPS / 10),
);
