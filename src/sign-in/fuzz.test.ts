/**
 * Whatever stands in a request to Postern's own pages: no session for a stranger, no server error, no
 * exception. POSTERN_FUZZ sets how many requests are made; every kind is a mutation of something good.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { APP, AUTH, createRig, OTHER, type Browser, type Rig } from './_rig.ts';
import { sessionCookieName } from '../session/token.ts';
import type { SignInRequest } from './ports.ts';

const RUNS = Number(process.env['POSTERN_FUZZ'] ?? 3_000);
const PASSWORD = 'correct horse battery';
const PIECES = [
  '',
  '=',
  ';',
  '&',
  '%',
  '%00',
  '%zz',
  '%0d%0a',
  '\u0000',
  '\u00a0',
  '\u00ff',
  '"',
  ',',
  '|||',
  '../',
  '//',
  '\\',
  '#',
  '__proto__',
  'constructor',
  'null',
  'undefined',
  'true',
  '0',
  '-1',
  '1e999',
  '[]',
  '{}',
  'A'.repeat(43),
  'A'.repeat(44),
  'x'.repeat(9_000),
  'https://evil.example',
  'ＡＬＩＣＥ',
  'a@b@c',
  '\ud800',
  '\u202e',
];
const PATHS = [
  '/',
  '/robots.txt',
  '/.postern/sign-in',
  '/.postern/sign-out',
  '/.postern/signed-out',
  '/.postern/set-password',
  '/.postern/userinfo',
  '/.postern/second-step',
  '/.postern/passkey',
  '/.postern/page.js',
  '/.postern/security',
  '/.postern/jwks.json',
  '/.postern/backchannel-logout',
  '/.postern/callback/keycloak',
  '/.postern/start',
  '/.postern/land',
  '/.postern/',
  '/.postern/__proto__',
  '/.postern/%2e%2e',
];
const METHODS = ['GET', 'GET', 'GET', 'POST', 'POST', 'HEAD', 'PUT', 'OPTIONS', 'constructor'];
const FIELDS = [
  'accept',
  'accept-language',
  'origin',
  'referer',
  'content-type',
  'sec-fetch-site',
  'sec-fetch-mode',
  'sec-fetch-dest',
  'sec-purpose',
  'purpose',
  'upgrade',
  'x-requested-with',
  'service-worker',
  'host',
  'x-forwarded-host',
  'authorization',
];

/** The same numbers for the same seed, so that a failure can be had again. */
function createDice(seed: string): (sides: number) => number {
  let block = Buffer.alloc(0);
  let at = 0;
  let round = 0;
  return (sides) => {
    if (at + 4 > block.length) {
      block = createHash('sha512').update(`${seed}/${round++}`).digest();
      at = 0;
    }
    at += 4;
    return block.readUInt32BE(at - 4) % sides;
  };
}

/** Real values of somebody else's sign-in, to be mutated: what a thief or a scanner might hold. */
interface Loot {
  readonly tickets: readonly string[];
  readonly codes: readonly string[];
  readonly tokens: readonly string[];
  readonly cookies: readonly (readonly [name: string, value: string])[];
  readonly forms: readonly string[];
}

async function collectLoot(rig: Rig, alice: Browser): Promise<Loot> {
  const start = await alice.send(`${APP}/deep?x=1`);
  const ticket = new URL(start.headers.get('location') ?? '').searchParams.get('ticket') ?? '';
  const form = await alice.open(start.headers.get('location') ?? '');
  await alice.signInOn(form, 'alice', PASSWORD);
  const away = await alice.send((await alice.send(`${OTHER}/`)).headers.get('location') ?? '');
  const code = new URL(away.headers.get('location') ?? '').searchParams.get('code') ?? '';
  return {
    tickets: [ticket],
    codes: [code],
    tokens: alice.jar.map((it) => it.value).filter((value) => value.length === 43),
    cookies: alice.jar.map((it) => [it.name, it.value] as const),
    forms: [/name="form" value="([^"]+)"/.exec(form.text)?.[1] ?? ''],
  };
}

function createMutator(dice: (sides: number) => number): (text: string) => string {
  const pick = <T>(from: readonly T[]): T => from[dice(from.length)] as T;
  return (text) => {
    // Never the good value itself: at least one change.
    if (text === '') return pick(PIECES);
    for (;;) {
      const at = dice(text.length + 1);
      const changed = [
        () => text.slice(0, at) + pick(PIECES) + text.slice(at),
        () =>
          text.slice(0, at) + String.fromCharCode((text.charCodeAt(at) || 65) ^ (1 << dice(7))) + text.slice(at + 1),
        () => text.slice(0, at),
        () => text.slice(at),
        () => text + text,
        () => text.split('').toReversed().join(''),
        () => pick(PIECES),
      ][dice(7)]?.() as string;
      if (changed !== text && !changed.includes(text)) return changed;
    }
  };
}

function createRequest(dice: (sides: number) => number, loot: Loot, instance: string): SignInRequest {
  const pick = <T>(from: readonly T[]): T => from[dice(from.length)] as T;
  const mutate = createMutator(dice);
  const origin = pick([AUTH, AUTH, APP, OTHER]);
  const method = pick(METHODS);
  const parameters: [string, string][] = [];
  const put = (name: string, values: readonly string[]): void => {
    if (dice(3) > 0) parameters.push([name, mutate(pick(values))]);
  };
  put('ticket', loot.tickets);
  put('code', loot.codes);
  put('flow', [...loot.cookies.map(([name]) => name.split('-n-')[1] ?? ''), 'abcdefgh']);
  put('token', loot.tokens);
  put('form', loot.forms);
  put('to', ['/', '/deep', ...PIECES]);
  put('continue', ['signed-in', '1']);
  put('name', ['alice', ...PIECES]);
  parameters.push(['password', mutate(PASSWORD)], ['again', mutate(PASSWORD)], ['switch', pick(['0', '1', ''])]);
  const encoded = new URLSearchParams(parameters).toString();
  const raw = dice(4) === 0 ? mutate(encoded) : encoded;
  const cookies = Array.from({ length: dice(4) }, () => {
    const [name, value] = pick(loot.cookies);
    const tried = pick([name, mutate(name), sessionCookieName(instance, { secure: true, domain: null })]);
    return `${tried}=${mutate(value)}`;
  });
  const headers: [string, string][] = cookies.length === 0 ? [] : [['cookie', cookies.join(pick(['; ', ';', ',']))]];
  if (method === 'POST') headers.push(['content-type', 'application/x-www-form-urlencoded'], ['origin', origin]);
  for (let n = dice(5); n > 0; n--) headers.push([pick(FIELDS), pick(PIECES)]);
  if (dice(2) === 0)
    headers.push(['accept', 'text/html'], ['sec-fetch-mode', 'navigate'], ['sec-fetch-dest', 'document']);
  const query = method === 'POST' || dice(4) === 0 ? '' : `?${raw.replaceAll(/[^\u0021-\u00ff]|#/g, '')}`;
  return {
    method,
    url: origin + pick(PATHS) + query,
    headers,
    body: method === 'POST' ? new TextEncoder().encode(raw) : null,
    ip: pick(['192.0.2.1', '2001:db8::1', null]),
    requestId: 'req-1',
    session: null,
    onSignInHost: origin === AUTH,
  };
}

test(`Fuzz: ${RUNS} odd requests to the own pages open no session, raise nothing, and never answer 5xx`, async () => {
  const rig = createRig();
  try {
    await rig.addAccount('alice', PASSWORD);
    const alice = rig.browser();
    const loot = await collectLoot(rig, alice);
    const before = (await rig.sessions.list()).length;
    rig.events.length = 0;
    const seed = process.env['POSTERN_FUZZ_SEED'] ?? String(Date.now());
    const dice = createDice(seed);
    const statuses = new Map<number, number>();
    for (let n = 0; n < RUNS; n++) {
      const request = createRequest(dice, loot, rig.instance);
      const isApp = !request.onSignInHost && dice(4) === 0;
      const response = await (isApp ? rig.signIn.beginSignIn(request) : rig.signIn.handle(request));
      statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1);
      const about = `seed ${seed}, request ${n}: ${JSON.stringify({ ...request, body: String(request.body) }).slice(0, 2_000)}`;
      assert.ok(response.status < 500, about);
      checkAnswer(request, response, await response.text(), about);
      if (n % 50 === 0) rig.advance(2_000);
    }
    assert.deepEqual(
      rig.events.filter((event) => event.kind === 'failed' || event.kind === 'signed-in'),
      [],
    );
    assert.equal((await rig.sessions.list()).length, before);
    assert.equal((await rig.accounts.findByName('alice'))?.passwordHash, `$argon2id$${PASSWORD}`);
    assert.equal((await alice.open(`${APP}/deep`)).text, 'app for alice');
    // It reached all kinds of answers, not one early refusal.
    for (const status of [200, 302, 303, 400, 401, 403, 404, 405, 410]) assert.ok(statuses.has(status), `no ${status}`);
  } finally {
    rig.close();
  }
});

const HARMLESS = /^(?:__Host-)?postern-[a-z0-9]+(?:-pre|-rounds|-n-[A-Za-z0-9_-]+)=/;
const FOR_STRANGERS = new Set([
  '/robots.txt',
  '/.postern/sign-in',
  '/.postern/signed-out',
  '/.postern/page.js',
  '/.postern/jwks.json',
]);
const OWN = new Set([AUTH, APP, OTHER]);

function checkAnswer(request: SignInRequest, response: Response, text: string, about: string): void {
  for (const line of response.headers.getSetCookie())
    assert.ok(HARMLESS.test(line) || line.includes('Max-Age=0'), `${line}\n${about}`);
  const location = response.headers.get('location');
  if (location !== null) assert.ok(OWN.has(new URL(location, request.url).origin), `${location}\n${about}`);
  const { pathname } = new URL(request.url);
  if (response.status !== 200) return;
  // What a stranger may have: forms, the signed-out page, robots.txt.
  assert.ok(FOR_STRANGERS.has(pathname), about);
  assert.doesNotMatch(text, /class="who"|"sub":/, about);
}
