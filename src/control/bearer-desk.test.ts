import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Person } from '../core/person.ts';
import type { VerifiedBearer } from '../sign-in/provider.ts';
import { createRecognition, type Recognise } from '../sign-in/admission.ts';
import { createBearerDesk } from './bearer-desk.ts';

const recognise: Recognise = (_, person) => Promise.resolve({ kind: 'person', person });
const onEnded = (): void => undefined;

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
  const { verify } = createBearerDesk({ providers: providers as never, recognise, clock, log, onEnded });
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
  const { verify } = createBearerDesk({ providers: providers as never, recognise, clock, log, onEnded });
  await verify('k', 't');
  await verify('k', 't');
  assert.equal(asked, 1);
  provider = { id: 'k', verifyBearer: () => refuses() };
  await verify('k', 't');
  await verify('k', 't');
  assert.equal(asked, 2);
});

test('createBearerDesk() ends what it vouched for by a key that is gone, and looks again at what is on its way', async () => {
  const clock = { now: () => 1_000 };
  const log = { info: () => undefined, warn: () => undefined };
  const person = { provider: 'k', subject: 's', name: 'ada' } as Person;
  let during: () => void = () => undefined;
  let gone = new Set<string>();
  const verifyBearer = (token: string): Promise<VerifiedBearer> => {
    const kid = token.split(' ')[0] ?? '';
    const answer: VerifiedBearer = gone.has(kid)
      ? { kind: 'refused', message: 'no such key' }
      : { kind: 'bearer', person, expiresAt: 9_000, kid: kid === '' ? null : kid };
    during();
    return Promise.resolve(answer);
  };
  const provider = { id: 'k', verifyBearer };
  const providers = { find: () => provider };
  const ended: (readonly string[])[] = [];
  const desk = createBearerDesk({
    providers: providers as never,
    recognise,
    clock,
    log,
    onEnded: (keys) => ended.push(keys),
  });
  const keys: string[] = [];
  for (const token of ['old 1', 'old 2', 'new 1', ' unsaid']) {
    const answer = await desk.verify('k', token);
    keys.push(answer.kind === 'found' ? answer.session.key : 'none');
  }
  desk.endByKeys('another', new Set(['old']));
  assert.deepEqual(ended, []);
  desk.endByKeys('k', new Set(['old']));
  assert.deepEqual(ended, [[keys[0], keys[1], keys[3]]]);
  desk.endByKeys('k', new Set(['old']));
  assert.equal(ended.length, 1, 'once');
  during = () => {
    during = () => undefined;
    gone = new Set(['new']);
    desk.endByKeys('k', gone);
  };
  assert.equal((await desk.verify('k', 'new 2')).kind, 'absent');
});

test("createBearerDesk() knows whoever comes with a token by the name that is theirs, and by nobody else's", async () => {
  const clock = { now: () => 1_000 };
  const said: unknown[] = [];
  const log = { info: (facts: object) => said.push(facts), warn: () => undefined };
  const kept = new Map([['alice', '1 of https://git.example']]);
  const pinned = new Map([['3 of https://git.example', 'carol']]);
  const names = {
    findKeptName: async (_: string, name: string) => kept.get(name) ?? null,
    findPinnedName: async (_: string, subject: string) => pinned.get(subject) ?? null,
  };
  const ask = async (subject: string, name: string, pinsNames = true): Promise<string> => {
    const person = { provider: 'git', subject, name } as Person;
    const verifyBearer = async (): Promise<VerifiedBearer> => ({ kind: 'bearer', person, expiresAt: 9_000, kid: null });
    const provider = { id: 'git', authority: 'https://git.example', pinsNames, verifyBearer };
    const providers = { find: () => provider, list: () => [] };
    const { verify } = createBearerDesk({
      providers: providers as never,
      recognise: createRecognition(names),
      clock,
      log,
      onEnded,
    });
    const answer = await verify('git', 'token');
    if (answer.kind !== 'found') return answer.kind;
    return answer.session.identity.kind === 'person' ? answer.session.identity.person.name : '';
  };
  assert.equal(await ask('1', 'alice'), 'alice');
  assert.equal(await ask('2', 'alice'), 'absent', 'registered again after alice gave it up');
  assert.deepEqual(said, [
    { code: 'CREDENTIAL_REFUSED', provider: 'git', reason: 'the name "alice" of "git" belongs to somebody else' },
  ]);
  assert.equal(await ask('3', 'carola'), 'carol', 'renamed, and named by a rule');
  assert.equal(await ask('4', 'dave'), 'dave');
  assert.equal(await ask('5', 'dave'), 'dave', "a token makes no name anybody's");
  assert.equal(await ask('2', 'alice', false), 'alice');
});
