import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assert as check, array, asyncProperty, constantFrom, oneof, string } from 'fast-check';
import { ADA, COOKIE, HOST, basic, cookie, createRig, policy, request, services, signedIn } from './_rig.ts';
import { mintToken } from '../session/token.ts';
import type { Judged } from './gate.ts';

test('judge() answers at once for a session that it knows, with one decision a policy', async () => {
  const rig = createRig();
  const headers = cookie(rig.signIn());
  let decisions = 0;
  const counted = policy(({ identity }) => (decisions++, identity.kind === 'person'));
  const first = await rig.ask(headers, counted);
  assert.deepEqual(
    [first.decision.kind, first.credential, first.identity],
    ['allow', 'session', { kind: 'person', person: ADA }],
  );
  for (let n = 0; n < 10; n++) {
    const judged = rig.gate.judge(request(headers), { policy: counted, host: HOST, scheme: 'https' }, null);
    assert.ok(!(judged instanceof Promise) && judged.decision.kind === 'allow');
  }
  assert.deepEqual([rig.state.lookUps, decisions], [1, 1]);
  await rig.gate.redecide();
  await rig.ask(headers, counted);
  assert.equal(decisions, 2, 'a swapped document is asked anew');
});

test('judge() remembers nothing of a policy that depends on more than who asks', async () => {
  const rig = createRig();
  const headers = cookie(rig.signIn());
  const byAddress = policy(({ ip }) => ip === '192.0.2.1', { dependsOnlyOnIdentity: false });
  assert.equal((await rig.ask(headers, byAddress, '192.0.2.1')).decision.kind, 'allow');
  assert.equal((await rig.ask(headers, byAddress, '192.0.2.2')).decision.kind, 'deny');
  assert.equal((await rig.ask(headers, byAddress, null)).decision.kind, 'deny');
});

test("one policy's decision is not used for another (cache scoping)", async () => {
  const rig = createRig();
  const headers = cookie(rig.signIn());
  assert.equal((await rig.ask(headers, signedIn())).decision.kind, 'allow');
  assert.equal(
    (
      await rig.ask(
        headers,
        policy(() => false),
      )
    ).decision.kind,
    'deny',
  );
});

test('a cookie of another host, of plain HTTP, or unknown counts as no cookie', async () => {
  const rig = createRig();
  assert.equal((await rig.ask(cookie(rig.signIn({ host: 'other.example' })))).decision.kind, 'sign-in');
  assert.equal((await rig.ask({ Cookie: `postern-k3v9=${rig.signIn()}` })).decision.kind, 'sign-in');
  assert.equal((await rig.ask(cookie(mintToken()))).decision.kind, 'sign-in');
});

test('with cookie_domain the name of the domain counts on its hosts, and each host outside has its own (cookie tossing)', async () => {
  const name = '__Secure-postern-k3v9';
  const ask = async (host: string, header: string): Promise<string> =>
    (await rig.askAt(host, { Cookie: header })).decision.kind;
  const rig = createRig();
  rig.settings.shared = { signInHost: 'auth.example', domain: '.example', cookieName: name };
  const shared = rig.signIn({ host: 'auth.example' });
  const own = rig.signIn({ host: 'app.other' });
  const mallory = rig.signIn({ host: 'auth.example' });
  for (const host of ['app.example', 'a.b.example', 'auth.example', 'example'])
    assert.equal(await ask(host, `${name}=${shared}`), 'allow', host);
  assert.equal(await ask('app.other', `${COOKIE}=${own}`), 'allow', 'by its own cookie, as without cookie_domain');
  for (const [host, header, why] of [
    ['app.other', `${name}=${shared}`, 'the domain ends before'],
    ['app.other', `${COOKIE}=${shared}`, 'the session of the sign-in host is for the domain'],
    ['app.other', `${name}=${own}`, 'a name that neighbours can plant counts for nothing outside'],
    ['notexample', `${name}=${shared}`, 'a suffix is not a domain'],
    ['evil-example', `${name}=${shared}`, 'nor is this'],
    ['app.example', `${COOKIE}=${shared}`, 'one name on each host'],
    ['app.example', `${name}=${own}`, 'a session of another host'],
    ['app.example', `${name}=${shared}; ${name}=${mallory}`, 'planted beside: neither counts'],
  ] as const)
    assert.equal(await ask(host, header), 'sign-in', why);
});

test('of several cookies exactly one may be valid, else none counts', async () => {
  const rig = createRig();
  const [one, two] = [rig.signIn(), rig.signIn()];
  assert.equal((await rig.ask(cookie('planted', one, mintToken()))).decision.kind, 'allow');
  assert.equal((await rig.ask(cookie(one, one))).decision.kind, 'allow');
  assert.equal((await rig.ask(cookie(one, two))).decision.kind, 'sign-in');
  assert.equal((await rig.ask(cookie(one, ...Array.from({ length: 4 }, mintToken)))).decision.kind, 'sign-in');
});

test('whatever stands in the Cookie field: no exception, no session, no door opened (cookie forgery)', async () => {
  const rig = createRig();
  const token = rig.signIn();
  const odd = [
    `${token}A`,
    token.slice(1),
    `"${token}"`,
    ` ${token.slice(0, 42)} `,
    token.toUpperCase() + '=',
    '|||',
    '',
    'x'.repeat(100_000),
    `${token}\u0000`,
    '\u00ff\u00fe',
    `${token},${token}`,
  ];
  for (const value of odd)
    assert.equal((await rig.ask({ Cookie: `${COOKIE}=${value}` })).credential, 'none', value.slice(0, 60));
  const many = Array.from({ length: 200 }, (_, n) => `${COOKIE}_${n}=${token}`).join('; ');
  assert.equal((await rig.ask({ Cookie: many })).credential, 'none');
  const piece = oneof(
    constantFrom(`${COOKIE}=`, token.slice(0, 42), ';', '=', '"', token.slice(0, 20)),
    string({ maxLength: 8 }),
  );
  await check(
    asyncProperty(array(piece, { maxLength: 10 }), async (parts) => {
      const line = parts.join('');
      if (line.includes(token)) return;
      assert.equal((await rig.ask({ Cookie: line })).decision.kind, 'sign-in');
    }),
    { numRuns: 300 },
  );
});

test('a public route asks nobody without a cookie, and a broken store does not close it', async () => {
  const rig = createRig();
  const open = policy(() => true, { isPublic: true });
  assert.equal((await rig.ask({}, open)).decision.kind, 'allow');
  assert.equal(rig.state.lookUps, 0);
  const headers = cookie(rig.signIn());
  assert.equal((await rig.ask(headers, open)).identity.kind, 'person');
  rig.state.store = 'down';
  const judged = await rig.ask(cookie(mintToken()), open);
  assert.deepEqual([judged.decision.kind, judged.identity.kind], ['allow', 'anonymous']);
  const byAddress = policy(({ ip }) => ip === '192.0.2.1', { dependsOnlyOnIdentity: false });
  assert.equal((await rig.ask(cookie(mintToken()), byAddress)).decision.kind, 'allow');
  assert.equal((await rig.ask(cookie(mintToken()))).decision.kind, 'unavailable');
});

test('findSession() tells own pages who is there, and unavailable from nobody', async () => {
  const rig = createRig();
  const ask = async (headers: Record<string, string>): Promise<Judged> =>
    rig.gate.findSession(request(headers), HOST, 'https');
  const headers = cookie(rig.signIn());
  assert.deepEqual([(await ask(headers)).decision.kind, (await ask(headers)).session?.person], ['allow', ADA]);
  assert.deepEqual([(await ask({})).decision.kind, (await ask({})).session], ['allow', null]);
  rig.state.store = 'down';
  assert.equal((await ask(cookie(mintToken()))).decision.kind, 'unavailable');
  assert.equal((await ask({})).decision.kind, 'allow');
});

test('while the store is away a known session serves for stale_for, then 503, and nobody is logged out', async () => {
  const rig = createRig();
  const headers = cookie(rig.signIn());
  await rig.ask(headers);
  rig.state.store = 'down';
  rig.state.heard = false;
  rig.clock.at += 59_000;
  assert.equal((await rig.ask(headers)).decision.kind, 'allow');
  rig.clock.at += 2_000;
  assert.equal((await rig.ask(headers)).decision.kind, 'unavailable');
  rig.state.store = 'up';
  rig.clock.at += 1_000;
  assert.equal((await rig.ask(headers)).decision.kind, 'allow');
});

test('without the heartbeat a session is asked for again before it counts', async () => {
  const rig = createRig();
  const token = rig.signIn();
  await rig.ask(cookie(token));
  rig.sessions.clear();
  assert.equal((await rig.ask(cookie(token))).decision.kind, 'allow', 'nothing was told yet');
  rig.state.heard = false;
  assert.equal((await rig.ask(cookie(token))).decision.kind, 'sign-in');
});

test('a revoked session passes no request after applyChange(), not even one whose look-up was under way', async () => {
  const rig = createRig();
  const known = rig.signIn();
  const { session } = await rig.ask(cookie(known));
  assert.ok(session);
  rig.sessions.delete(session.key);
  rig.gate.applyChange({ kind: 'revoked', keys: [session.key] });
  assert.equal((await rig.ask(cookie(known))).decision.kind, 'sign-in');

  const racing = rig.signIn();
  const key = [...rig.sessions.keys()][0] as string;
  rig.state.beforeAnswer = () => {
    rig.state.beforeAnswer = null;
    rig.sessions.delete(key);
    rig.gate.applyChange({ kind: 'revoked', keys: [key] });
  };
  assert.equal((await rig.ask(cookie(racing))).decision.kind, 'sign-in');
});

test('a changed person is judged by the new attributes at the next request', async () => {
  const rig = createRig();
  const headers = cookie(rig.signIn());
  const ops = policy(({ identity }) => identity.kind === 'person' && identity.person.groups.includes('ops'));
  const { session } = await rig.ask(headers, ops);
  rig.gate.applyChange({ kind: 'person', keys: [session?.key ?? ''], person: { ...ADA, groups: [] } });
  assert.equal((await rig.ask(headers, ops)).decision.kind, 'deny');
});

test('a hundred requests of one unknown session are one look-up', async () => {
  const rig = createRig();
  const headers = cookie(rig.signIn());
  const judged = await Promise.all(Array.from({ length: 100 }, () => rig.ask(headers)));
  assert.ok(judged.every((it) => it.decision.kind === 'allow'));
  assert.equal(rig.state.lookUps, 1);
});

test('an expired session is over even where nobody told', async () => {
  const rig = createRig();
  const headers = cookie(rig.signIn({ expiresAt: rig.clock.at + 10_000 }));
  assert.equal((await rig.ask(headers)).decision.kind, 'allow');
  rig.clock.at += 10_000;
  assert.equal((await rig.ask(headers)).decision.kind, 'sign-in');
});

test('Basic of a service is checked once, remembered until the document changes, and used up', async () => {
  const rig = createRig();
  const headers = { Authorization: basic('promtail', 'secret') };
  const judged = await rig.ask(headers, services());
  assert.deepEqual(
    [judged.decision.kind, judged.credential, judged.identity, judged.removeAuthorization],
    ['allow', 'basic', { kind: 'service', name: 'promtail' }, true],
  );
  await rig.ask(headers, services());
  assert.equal(rig.state.verified, 1);
  assert.equal(
    (
      await rig.ask(
        headers,
        policy(() => false, { acceptsServices: true }),
      )
    ).decision.kind,
    'deny',
    'right at A is not allowed at B',
  );
  rig.state.version = 'v2';
  await rig.ask(headers, services());
  assert.equal(rig.state.verified, 2);
});

test('a wrong or malformed service credential is refused and never falls through to a cookie', async () => {
  const rig = createRig();
  const session = cookie(rig.signIn());
  const wrong = [
    basic('promtail', 'x'),
    basic('nobody', 'secret'),
    basic('Promtail', 'secret'),
    'Basic',
    'Basic !!',
    'basic  ',
    `Basic ${Buffer.from('promtail').toString('base64')}`,
  ];
  for (const value of wrong) {
    const judged = await rig.ask({ ...session, Authorization: value }, services());
    assert.deepEqual(
      [judged.decision.kind, judged.credential, judged.identity.kind],
      ['challenge', 'refused', 'anonymous'],
      value,
    );
  }
  const twice = await rig.ask({ Authorization: [basic('promtail', 'secret'), basic('promtail', 'x')] }, services());
  assert.equal(twice.credential, 'refused');
  rig.state.busy = true;
  assert.equal((await rig.ask({ Authorization: basic('promtail', 'new') }, services())).decision.kind, 'busy');
});

test('Authorization that is meant for the app passes untouched', async () => {
  const rig = createRig();
  const session = cookie(rig.signIn());
  const forApp = await rig.ask({ ...session, Authorization: basic('promtail', 'secret') }, signedIn());
  assert.deepEqual([forApp.credential, forApp.removeAuthorization, rig.state.verified], ['session', false, 0]);
  const bearer = await rig.ask({ ...session, Authorization: 'Bearer x' }, services());
  assert.deepEqual([bearer.credential, bearer.removeAuthorization], ['session', false]);
  const both = await rig.ask(
    { 'Postern-Authorization': basic('promtail', 'secret'), Authorization: basic('a', 'b') },
    services(),
  );
  assert.deepEqual([both.credential, both.removeAuthorization], ['basic', false]);
});

test('a service credential costs no hash where no service could pass', async () => {
  const rig = createRig();
  const own = { 'Postern-Authorization': basic('promtail', 'secret') };
  const judged = await rig.ask(own, signedIn());
  assert.deepEqual([judged.decision.kind, judged.credential, rig.state.verified], ['challenge', 'refused', 0]);
});
