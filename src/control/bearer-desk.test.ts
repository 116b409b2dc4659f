import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { VerifiedBearer } from '../sign-in/provider.ts';
import { createBearerDesk } from './bearer-desk.ts';

test('createBearerDesk() checks at most so many at once, and a refused one not again for a moment', async () => {
  const clock = { at: 1_000, now: () => clock.at };
  const lines: unknown[] = [];
  let asked = 0;
  let release: () => void = () => undefined;
  const gate = new Promise<void>((done) => (release = done));
  const verifyOnce = async (): Promise<VerifiedBearer> => {
    asked++;
    await gate;
    return { kind: 'refused', message: 'bad' };
  };
  const provider = { id: 'k', verifyBearer: verifyOnce };
  const log = { info: (facts: object) => lines.push(facts), warn: () => undefined };
  const providers = { find: (id: string) => (id === 'k' ? provider : null), list: () => [] };
  const verify = createBearerDesk({ providers: providers as never, clock, log });
  const answers = Array.from({ length: 100 }, (_, n) => verify('k', `t${n}`));
  release();
  const kinds = (await Promise.all(answers)).map(({ kind }) => kind);
  assert.deepEqual([asked, kinds.filter((kind) => kind === 'unavailable').length], [64, 36]);
  assert.equal((await verify('k', 't0')).kind, 'absent');
  assert.equal(asked, 64);
  clock.at += 5_000;
  await verify('k', 't0');
  assert.equal(asked, 65);
  assert.equal((await verify('gone', 't0')).kind, 'absent');
  assert.ok(lines.length <= 10, 'the log is not filled by strangers');
});

test('createBearerDesk() has what one document refused looked at anew by the next one', async () => {
  const clock = { now: () => 1_000 };
  const log = { info: () => undefined, warn: () => undefined };
  let asked = 0;
  const refuses = (): Promise<VerifiedBearer> => {
    asked++;
    return Promise.resolve({ kind: 'refused', message: 'another client' });
  };
  let provider = { id: 'k', verifyBearer: refuses };
  const providers = { find: () => provider, list: () => [] };
  const verify = createBearerDesk({ providers: providers as never, clock, log });
  await verify('k', 't');
  await verify('k', 't');
  assert.equal(asked, 1);
  provider = { id: 'k', verifyBearer: () => refuses() };
  await verify('k', 't');
  await verify('k', 't');
  assert.equal(asked, 2);
});
