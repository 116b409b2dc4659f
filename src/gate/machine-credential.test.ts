import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assert as check, asyncProperty, constantFrom, array, dictionary, oneof, string } from 'fast-check';
import { HOST, PREFIX, createRig, policy, request, signedIn } from './_rig.ts';
import { mintServiceToken, serviceTokenPrefix } from '../session/service-token.ts';
import { keyOfToken } from '../session/token.ts';
import type { GatePolicy } from './gate.ts';

const COOKIE = '__Host-postern-k3v9';
const basic = (name: string, password: string): string =>
  `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`;
const machines = (): GatePolicy =>
  policy(({ identity }) => identity.kind === 'token' && identity.name === 'ci', { dependsOnlyOnIdentity: true });
const settled = (): Promise<void> =>
  new Promise((resolve) => {
    setImmediate(resolve);
  });

test('a token is taken as Bearer, as a Basic password beside any name, and in Postern-Authorization', async () => {
  const rig = createRig();
  const token = rig.mintToken('ci');
  for (const headers of [
    { Authorization: `Bearer ${token}` },
    { Authorization: `bearer  ${token}` },
    { Authorization: basic('ci', token) },
    { Authorization: basic('__token__', token) },
    { Authorization: basic('', token) },
    { Authorization: basic(token, '') },
  ]) {
    const judged = await rig.ask(headers, machines());
    assert.deepEqual(
      [judged.decision.kind, judged.credential, judged.identity, judged.removeAuthorization],
      ['allow', 'token', { kind: 'token', name: 'ci' }, true],
      headers.Authorization,
    );
  }
  for (const own of [`Bearer ${token}`, basic('x', token)]) {
    const judged = await rig.ask({ 'Postern-Authorization': own, Authorization: 'Bearer glsa_1' }, machines());
    assert.deepEqual([judged.decision.kind, judged.removeAuthorization], ['allow', false]);
  }
});

test('a token counts beside a user name of any bytes, and never reaches an app because its Basic cannot be read', async () => {
  const rig = createRig();
  const token = rig.mintToken('ci');
  const cookie = `${COOKIE}=${rig.signIn()}`;
  const latin = (text: string): string => Buffer.from(text, 'latin1').toString('base64');
  for (const name of ['josé', 'jo\u0000s', '\u00ff\u00fe']) {
    const judged = await rig.ask({ Authorization: `Basic ${latin(`${name}:${token}`)}` }, machines());
    assert.deepEqual(
      [judged.decision.kind, judged.credential, judged.removeAuthorization],
      ['allow', 'token', true],
      name,
    );
  }
  const unreadable = [
    `Basic ${latin(`josé:${token}x`)}`,
    `Basic ${latin(`josé:x:${token}`)}`,
    `Basic ${latin(token)}`,
    `Basic ${latin(`${'é'.repeat(1_600)}:${token}`)}`,
    `Basic\t${latin(`a:${token}`)}`,
    `Basic ${latin(`a:${token}`).replace(/.{20}/, '$& ')}`,
    `Basic "${latin(`a:${token}`)}"`,
    `Basic ${Buffer.from(`??>>:${token}`).toString('base64url')}`,
  ];
  for (const value of unreadable) {
    const judged = await rig.ask({ Cookie: cookie, Authorization: value }, signedIn());
    assert.deepEqual(
      [judged.decision.kind, judged.refused, judged.removeAuthorization],
      ['challenge', 'basic', true],
      value,
    );
    const open = await rig.ask(
      { Authorization: value },
      policy(() => true, { isPublic: true }),
    );
    assert.deepEqual([open.decision.kind, open.identity.kind, open.removeAuthorization], ['allow', 'anonymous', true]);
  }
  const app = await rig.ask({ Cookie: cookie, Authorization: `Basic ${latin('josé:secret')}` }, signedIn());
  assert.deepEqual([app.credential, app.removeAuthorization], ['session', false], "the app's own passes");
});

test('a token that is known is judged at once, with one look-up and one decision', async () => {
  const rig = createRig();
  const headers = { Authorization: `Bearer ${rig.mintToken('ci')}` };
  let decisions = 0;
  const counted = policy(({ identity }) => (decisions++, identity.kind === 'token'));
  await rig.ask(headers, counted);
  for (let n = 0; n < 10; n++) {
    const judged = rig.gate.judge(request(headers), { policy: counted, host: HOST, scheme: 'https' }, null);
    assert.ok(!(judged instanceof Promise) && judged.decision.kind === 'allow');
  }
  assert.deepEqual([rig.state.lookUps, decisions], [1, 1]);
});

test('a wrong token is refused with its scheme and never falls through to a cookie', async () => {
  const rig = createRig();
  const cookie = `${COOKIE}=${rig.signIn()}`;
  const unknown = mintServiceToken(PREFIX);
  const good = rig.mintToken('ci');
  const cases: readonly (readonly [string, 'bearer' | 'basic'])[] = [
    [`Bearer ${unknown}`, 'bearer'],
    [basic('ci', unknown), 'basic'],
    [`Bearer ${good.slice(0, -1)}`, 'bearer'],
    [`Bearer ${good}x`, 'bearer'],
    [`Bearer ${good} ${good}`, 'bearer'],
    [`Token ${good}`, 'bearer'],
    [good, 'bearer'],
    [basic('ci', ` ${good}`), 'basic'],
    [basic(good, 'x'), 'basic'],
  ];
  for (const everyone of [machines(), signedIn(), policy(() => true)]) {
    for (const [value, scheme] of cases) {
      const judged = await rig.ask({ Cookie: cookie, Authorization: value }, everyone);
      const seen = [judged.decision.kind, judged.credential, judged.refused, judged.identity.kind];
      assert.deepEqual(
        [...seen, judged.removeAuthorization],
        ['challenge', 'refused', scheme, 'anonymous', true],
        value,
      );
    }
  }
  const twice = await rig.ask({ Cookie: cookie, Authorization: [`Bearer ${good}`, `Bearer ${good}`] }, signedIn());
  assert.deepEqual([twice.decision.kind, twice.credential], ['challenge', 'refused']);
  for (const own of ['', 'Bearer x', 'Negotiate abc', `Bearer ${unknown}`]) {
    const judged = await rig.ask({ Cookie: cookie, 'Postern-Authorization': own }, signedIn());
    assert.equal(judged.credential, 'refused', `Postern-Authorization: ${own}`);
  }
});

test('bearer confusion: what is not ours by its form passes to the app and is never looked up', async () => {
  const rig = createRig();
  const cookie = `${COOKIE}=${rig.signIn()}`;
  await rig.ask({ Cookie: cookie });
  const before = rig.state.lookUps;
  for (const value of [
    'Bearer glsa_HOruNAb7SOiCdshU9algkrq7F',
    'Bearer eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJhcmdvY2QifQ.c2ln',
    `Bearer ${mintServiceToken(serviceTokenPrefix('other123'))}`,
    basic('admin', 'secret'),
    basic('admin', mintServiceToken(serviceTokenPrefix('other123'))),
    'Digest username="a"',
    'Basic !!',
  ]) {
    const judged = await rig.ask({ Cookie: cookie, Authorization: value }, signedIn());
    assert.deepEqual(
      [judged.decision.kind, judged.credential, judged.removeAuthorization],
      ['allow', 'session', false],
    );
    const alone = await rig.ask({ Authorization: value }, signedIn());
    assert.deepEqual([alone.decision.kind, alone.removeAuthorization], ['sign-in', false], value);
  }
  assert.equal(rig.state.lookUps, before);
});

test('a public route lets everybody in, and its app never gets a token of ours', async () => {
  const rig = createRig();
  const open = policy(() => true, { isPublic: true });
  const token = rig.mintToken('ci');
  const cookie = `${COOKIE}=${rig.signIn()}`;
  const right = await rig.ask({ Authorization: `Bearer ${token}` }, open);
  assert.deepEqual([right.decision.kind, right.identity.kind, right.removeAuthorization], ['allow', 'token', true]);
  for (const value of [`Bearer ${mintServiceToken(PREFIX)}`, `Bearer ${token}x`, basic('a', `${token}x`)]) {
    const judged = await rig.ask({ Cookie: cookie, Authorization: value }, open);
    assert.deepEqual(
      [judged.decision.kind, judged.identity.kind, judged.removeAuthorization],
      ['allow', 'anonymous', true],
      value,
    );
  }
  const both = await rig.ask({ 'Postern-Authorization': `Bearer ${token}`, Authorization: basic('x', token) }, open);
  assert.equal(both.removeAuthorization, true);
  rig.state.store = 'down';
  const down = await rig.ask({ Authorization: `Bearer ${mintServiceToken(PREFIX)}` }, open);
  assert.equal(down.decision.kind, 'allow');
});

test('a store that is away lets in no new token, serves a known one for stale_for, and refuses none as wrong', async () => {
  const rig = createRig();
  const known = { Authorization: `Bearer ${rig.mintToken('ci')}` };
  const fresh = { Authorization: `Bearer ${rig.mintToken('ci')}` };
  await rig.ask(known, machines());
  rig.state.store = 'down';
  rig.state.heard = false;
  assert.equal((await rig.ask(fresh, machines())).decision.kind, 'unavailable');
  assert.equal((await rig.ask(known, machines())).decision.kind, 'allow');
  rig.clock.at += 60_001;
  assert.equal((await rig.ask(known, machines())).decision.kind, 'unavailable');
  rig.state.store = 'up';
  rig.state.heard = true;
  rig.clock.at += 1_000;
  assert.equal((await rig.ask(known, machines())).decision.kind, 'allow');
});

test('a revoked or expired token ends at once, on open connections too', async () => {
  const rig = createRig();
  const closed: string[] = [];
  const track = async (token: string): Promise<void> => {
    const headers = { Authorization: `Bearer ${token}` };
    const judged = await rig.ask(headers, machines());
    rig.gate.track({
      judged,
      exchange: request(headers),
      findPolicy: () => machines(),
      bytesHeard: () => 0,
      close: (reason) => closed.push(reason),
    });
  };
  const revoked = rig.mintToken('ci');
  const other = rig.mintToken('ci');
  await track(revoked);
  await track(other);
  rig.tokens.delete(keyOfToken(revoked));
  rig.gate.applyChange({ kind: 'revoked', keys: [keyOfToken(revoked)] });
  assert.deepEqual(closed, ['token-ended']);
  assert.equal((await rig.ask({ Authorization: `Bearer ${revoked}` }, machines())).decision.kind, 'challenge');
  assert.equal((await rig.ask({ Authorization: `Bearer ${other}` }, machines())).decision.kind, 'allow');

  const short = rig.mintToken('ci', rig.clock.at + 1_000);
  await track(short);
  rig.clock.at += 1_000;
  rig.gate.tick();
  assert.deepEqual(closed, ['token-ended', 'token-expired']);
  assert.equal((await rig.ask({ Authorization: `Bearer ${short}` }, machines())).decision.kind, 'challenge');
});

test('a revocation that overtakes the answer of the store is not forgotten', async () => {
  const rig = createRig();
  const token = rig.mintToken('ci');
  const key = keyOfToken(token);
  const closed: string[] = [];
  rig.state.beforeTokenAnswer = () => {
    rig.state.beforeTokenAnswer = null;
    rig.tokens.delete(key);
    rig.gate.applyChange({ kind: 'revoked', keys: [key] });
  };
  const judged = await rig.ask({ Authorization: `Bearer ${token}` }, machines());
  assert.equal(judged.decision.kind, 'challenge');
  // Between the judgement and the watch: the store is asked again.
  const late = rig.mintToken('ci');
  const headers = { Authorization: `Bearer ${late}` };
  const allowed = await rig.ask(headers, machines());
  rig.tokens.delete(keyOfToken(late));
  rig.gate.applyChange({ kind: 'revoked', keys: [keyOfToken(late)] });
  rig.gate.track({
    judged: allowed,
    exchange: request(headers),
    findPolicy: () => machines(),
    bytesHeard: () => 0,
    close: (reason) => closed.push(reason),
  });
  await settled();
  await settled();
  assert.deepEqual(closed, ['token-ended']);
});

test('use of a token is reported in batches, apart from sessions', async () => {
  const rig = createRig();
  const token = rig.mintToken('ci');
  for (let n = 0; n < 100; n++) await rig.ask({ Authorization: `Bearer ${token}` }, machines());
  rig.gate.tick();
  rig.clock.at += 60_000;
  await rig.ask({ Authorization: `Bearer ${token}` }, machines());
  rig.gate.tick();
  assert.deepEqual(
    rig.tokenReports.map((batch) => batch.map(([key]) => key)),
    [[keyOfToken(token)], [keyOfToken(token)]],
  );
  assert.deepEqual(rig.reports, []);
});

test('whatever stands in Authorization: no exception, and nobody comes in', async () => {
  const rig = createRig();
  const token = rig.mintToken('ci');
  const piece = oneof(
    constantFrom('Bearer ', 'bearer', 'Basic ', PREFIX, token.slice(0, 40), token.slice(40), ',', ' ', '=', '\u0000'),
    constantFrom(Buffer.from(`ci:${token}`).toString('base64').slice(0, 60), Buffer.from(PREFIX).toString('base64')),
    string({ unit: 'binary', maxLength: 10 }),
  );
  const value = array(piece, { maxLength: 8 }).map((parts) => parts.join(''));
  await check(
    asyncProperty(
      dictionary(constantFrom('Authorization', 'Postern-Authorization'), oneof(value, array(value, { maxLength: 3 }))),
      async (headers) => {
        if (JSON.stringify(headers).includes(token)) return;
        const judged = await rig.ask(headers, machines());
        assert.ok(['challenge', 'sign-in'].includes(judged.decision.kind), judged.decision.kind);
        assert.equal(judged.identity.kind, 'anonymous');
      },
    ),
    { numRuns: 3_000 },
  );
});
