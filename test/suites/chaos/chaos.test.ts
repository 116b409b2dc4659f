/**
 * The whole gateway under everything at once: people of four providers, machines, access tokens and links, by HTTP/1.1 and
 * HTTP/2; sign-outs, revocations, groups, keys and documents that change, routes that ask for more than a session, workers
 * and the process killed in between, credentials stolen, made up and tried again. A small model knows what may be answered, and each answer is held against it. Known seeds where POSTERN_FUZZ_SEED is set, as on CI, and
 * others elsewhere; POSTERN_CHAOS_SEED=… tries one again, POSTERN_CHAOS_SECONDS sets how long each run lasts.
 */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { run } from './run.ts';

const { POSTERN_FUZZ_SEED, POSTERN_CHAOS_SEED, POSTERN_CHAOS_SECONDS = '12' } = process.env;
const SEED = POSTERN_CHAOS_SEED ?? POSTERN_FUZZ_SEED ?? String(Date.now());

suite('everything at once, for a while', () => {
  for (const [name, isShared] of [
    ['a cookie for each host', false],
    ['one cookie for a domain, and hosts outside', true],
  ] as const)
    test(name, { timeout: 3_600_000 }, async (t) => {
      t.diagnostic(`POSTERN_CHAOS_SEED=${SEED}`);
      const result = await run({ seed: SEED, browsers: 6, isShared, untilMs: Number(POSTERN_CHAOS_SECONDS) * 1_000 });
      const { steps, asked, sockets, slowestMs } = result;
      t.diagnostic(
        `${steps} steps, ${asked} requests, ${sockets} WebSockets, the last ended ${slowestMs} ms after it had to`,
      );
      assert.deepEqual(
        result.violations.slice(0, 5),
        [],
        `seed ${SEED}, behind:\n${result.history.slice(-40).join('\n')}`,
      );
      assert.ok(steps > 3 && asked > 20, 'it was about something');
    });
});
