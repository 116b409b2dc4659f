import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { IdentityHeaders as Naming } from '../config/document/identity-headers.ts';
import type { SessionView, TokenAnswer } from '../gate/ports.ts';
import { PassedTokens, replacesAuthorization, withTokens, type TokenWish } from './passed-tokens.ts';

const namingOf = (...tokens: Naming['tokens']): Naming => ({
  fields: [],
  groupsEncoding: 'comma',
  audience: null,
  tokens,
});
const ACCESS = namingOf({ name: 'authorization', token: 'access_token' });
const BOTH = namingOf({ name: 'X-Access', token: 'access_token' }, { name: 'X-Id', token: 'id_token' });

const sessionOf = (key: string, parent = `${key}-parent`): SessionView => ({
  key,
  parent,
  host: 'app.example',
  person: {
    provider: 'keycloak',
    subject: key,
    name: key,
    displayName: '',
    email: null,
    emailVerified: false,
    groups: [],
    roles: [],
    amr: [],
  },
  expiresAt: Number.MAX_SAFE_INTEGER,
  lastSeenAt: 0,
});
const ALICE = sessionOf('alice');

function createRig(answer: (wish: TokenWish, now: number) => TokenAnswer | Promise<TokenAnswer>) {
  let now = 1_000_000;
  const wishes: TokenWish[] = [];
  const tokens = new PassedTokens({
    clock: { now: () => now },
    async find(wish) {
      wishes.push(wish);
      return answer(wish, now);
    },
  });
  const fields = async (naming: Naming, session = ALICE) => {
    const found = await tokens.find(naming, session, 'app.example');
    return typeof found === 'string' ? found : found.fields;
  };
  return { tokens, wishes, fields, advance: (ms: number) => (now += ms) };
}

const found = (access: string | null, id: string | null, until: number): TokenAnswer => ({
  kind: 'found',
  accessToken: access,
  idToken: id,
  until,
});

test('PassedTokens asks for what the route names and no more, once for all who wait, and holds it until it is due', async () => {
  const { tokens, wishes, fields, advance } = createRig((_, now) => found('at', 'it', now + 1_000));
  const many = await Promise.all(Array.from({ length: 20 }, () => fields(ACCESS)));
  assert.deepEqual(many[7], [['authorization', 'Bearer at']]);
  assert.deepEqual(wishes, [{ key: 'alice', host: 'app.example', tokens: ['access_token'] }]);
  assert.ok(!(tokens.find(ACCESS, ALICE, 'app.example') instanceof Promise), 'at once, when it is known');
  assert.deepEqual(await fields(BOTH), [
    ['X-Access', 'at'],
    ['X-Id', 'it'],
  ]);
  assert.deepEqual(wishes[1]?.tokens, ['access_token', 'id_token']);
  advance(1_000);
  await fields(ACCESS);
  assert.equal(wishes.length, 3);
});

test('PassedTokens never gives one sign-in the tokens of another', async () => {
  const { fields } = createRig(({ key }, now) => found(`of-${key}`, null, now + 1_000));
  assert.deepEqual(await fields(ACCESS, ALICE), [['authorization', 'Bearer of-alice']]);
  assert.deepEqual(await fields(ACCESS, sessionOf('bob')), [['authorization', 'Bearer of-bob']]);
  assert.deepEqual(await fields(ACCESS, ALICE), [['authorization', 'Bearer of-alice']]);
});

test('PassedTokens lets go of tokens when the sign-in ends or is renewed, at a new document, and when they are due', async () => {
  let number = 0;
  const { tokens, fields, advance } = createRig((_, now) => found(`at-${++number}`, null, now + 60_000));
  const bearer = (): Promise<unknown> => fields(ACCESS);
  assert.deepEqual(await bearer(), [['authorization', 'Bearer at-1']]);
  tokens.drop(['somebody else']);
  assert.deepEqual(await bearer(), [['authorization', 'Bearer at-1']]);
  tokens.drop([ALICE.parent]);
  assert.equal(tokens.size, 0);
  assert.deepEqual(await bearer(), [['authorization', 'Bearer at-2']]);
  tokens.clear();
  assert.equal(tokens.size, 0);
  await bearer();
  advance(60_000);
  tokens.tick();
  assert.equal(tokens.size, 0, 'not asked for, and gone');
});

test('PassedTokens does not keep an answer that was on its way when the tokens were renewed', async () => {
  const waiting: ((answer: TokenAnswer) => void)[] = [];
  const { tokens, fields, wishes } = createRig(() => new Promise((resolve) => waiting.push(resolve)));
  const first = fields(ACCESS);
  tokens.drop([ALICE.parent]);
  waiting[0]?.(found('old', null, Number.MAX_SAFE_INTEGER));
  await new Promise((done) => setImmediate(done));
  waiting[1]?.(found('new', null, Number.MAX_SAFE_INTEGER));
  assert.deepEqual(await first, [['authorization', 'Bearer new']]);
  assert.deepEqual(await fields(ACCESS), [['authorization', 'Bearer new']]);
  assert.equal(wishes.length, 2);
});

test('PassedTokens says unavailable, does not ask again for every request, and asks again soon', async () => {
  let answer: TokenAnswer | null = { kind: 'unavailable' };
  const { fields, wishes, advance, tokens } = createRig((_, now) => {
    if (answer === null) throw new Error('the control thread is gone');
    return answer.kind === 'found' ? { ...answer, until: now + 1_000 } : answer;
  });
  assert.equal(await fields(ACCESS), 'unavailable');
  assert.equal(await fields(ACCESS), 'unavailable');
  assert.equal(wishes.length, 1);
  advance(500);
  answer = null;
  assert.equal(await fields(ACCESS), 'unavailable', 'no answer is no token');
  advance(500);
  answer = { kind: 'absent' };
  assert.equal(await fields(ACCESS), 'unavailable');
  assert.equal(tokens.size, 1, 'only the doubt from before');
  answer = found('at', null, 0);
  tokens.clear();
  assert.deepEqual(await fields(ACCESS), [['authorization', 'Bearer at']]);
});

test('PassedTokens says expired, never an empty field, until the sign-in has new ones', async () => {
  let answer: TokenAnswer = { kind: 'expired' };
  const { fields, wishes, tokens, advance } = createRig((_, now) =>
    answer.kind === 'found' ? { ...answer, until: now + 1_000 } : answer,
  );
  assert.deepEqual([await fields(ACCESS), await fields(ACCESS)], ['expired', 'expired']);
  assert.equal(wishes.length, 1, 'not asked for every request');
  answer = found('at', null, 0);
  tokens.drop([ALICE.parent]);
  assert.deepEqual(await fields(ACCESS), [['authorization', 'Bearer at']]);
  advance(1_000);
  answer = { kind: 'expired' };
  assert.equal(await fields(ACCESS), 'expired');
});

test('A session without a token gets no field, and what a client says under the name is void all the same', async () => {
  const { fields } = createRig((_, now) => found(null, null, now + 1_000));
  assert.deepEqual(await fields(BOTH), []);
  assert.ok(replacesAuthorization(ACCESS));
  assert.ok(!replacesAuthorization(BOTH) && !replacesAuthorization(namingOf()));
});

test('withTokens() puts them behind what is said of the person, in one list for as long as both stay', async () => {
  const { tokens } = createRig((_, now) => found('at', null, now + 1_000));
  const passed = await tokens.find(ACCESS, ALICE, 'app.example');
  assert.ok(typeof passed === 'object');
  const base = [['X-Forwarded-User', 'alice']] as const;
  const all = withTokens(base, passed);
  assert.deepEqual(all, [...base, ['authorization', 'Bearer at']]);
  assert.equal(withTokens(base, passed), all, 'the very list: request fields are kept by it');
  assert.notEqual(withTokens([...base], passed), all);
  assert.equal(withTokens(base, null), base);
});
