/**
 * Whatever is not a live session gets no 2xx from `/oauth2/auth`: cookies that were changed, cut, those of two people,
 * signed out, outlived, or made elsewhere, and fields that claim things. POSTERN_FUZZ sets how many.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePorts } from '../../support/free-ports.ts';
import { BASE } from './configuration.ts';
import { startIn } from './programs.ts';
import type { Running } from './programs.ts';
import { startProvider } from './provider.ts';
import type { Provider } from './provider.ts';
import { createKeptClient, sendExactly } from './raw-client.ts';
import type { Field } from './raw-client.ts';
import { createSide } from './side.ts';
import type { Jar, Side } from './side.ts';

const RUNS = Number(process.env['POSTERN_FUZZ'] ?? 3_000);
const SEED = Number(process.env['POSTERN_FUZZ_SEED'] ?? Date.now() % 1_000_000);
const NAME = '_oauth2_proxy';
const CONNECTIONS = 8;
const CONTROL = /[\r\n\0]/;

interface Door extends Side {
  readonly end: () => Promise<void>;
}

async function openDoor(provider: Provider, env: Readonly<Record<string, string>> = {}): Promise<Door> {
  const dir = mkdtempSync(join(tmpdir(), 'postern-'));
  const [port = 0] = await freePorts(1);
  const all = {
    ...BASE,
    UPSTREAMS: 'static://200',
    HTTP_ADDRESS: `127.0.0.1:${port}`,
    OIDC_ISSUER_URL: provider.issuer,
  };
  const given = Object.entries({ ...all, ...env }).map(([key, value]) => [`OAUTH2_PROXY_${key}`, value] as const);
  const program = await startIn('postern', dir, { env: Object.fromEntries(given), port });
  if ('refused' in program) throw new Error(`Cannot start Postern:\n${program.refused}`);
  const places = {
    port,

    upstreamPort: 0,
    issuer: provider.issuer,
    dir,
    prefix: '/oauth2',
    cookie: NAME,
  };
  const upstream = { port: 0, socketPath: null, take: () => [], close: () => Promise.resolve() };
  const running: Running = program;
  return {
    ...createSide({
      places,
      upstream,
      program: running,
      tls: false,
      idToken: provider.idToken,
    }),
    async end() {
      await running.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** mulberry32: the same seed makes the same requests. */
function createDice(seed: number): {
  readonly below: (many: number) => number;
  readonly pick: <T>(of: readonly T[]) => T;
} {
  let state = seed >>> 0;
  const below = (many: number): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % many;
  };
  return { below, pick: <T>(of: readonly T[]): T => of[below(of.length)] as T };
}

type Dice = ReturnType<typeof createDice>;

const PIECES = [
  '',
  '=',
  '|',
  '|||',
  ' ',
  '"',
  '%00',
  '%zz',
  '.',
  '..',
  'v2.',
  ',',
  '\u00ff\u00fe',
  '{}',
  '-1',
  'null',
  'A'.repeat(64),
];

/** A cookie value that is near `good` and is not it. */
function changed(good: string, dice: Dice): string {
  const at = dice.below(good.length);
  const kinds: readonly (() => string)[] = [
    () =>
      good.slice(0, at) + String.fromCodePoint((good.codePointAt(at) ?? 0) ^ (1 << dice.below(5))) + good.slice(at + 1),
    () => good.slice(0, at) + dice.pick(PIECES) + good.slice(at),
    () => good.slice(0, at),
    () => good.slice(at + 1),
    () => good.slice(0, at) + good.slice(at + 1 + dice.below(5)),
    () => good + dice.pick(PIECES),
    () => dice.pick(PIECES) + good,
    () => good.toUpperCase(),
    () => good.toLowerCase(),
    () => encodeURIComponent(good) + dice.pick(PIECES),
    () => good + good,
    () => Buffer.from(good).toString('base64url'),
    () => Array.from({ length: 1 + dice.below(60) }, () => String.fromCodePoint(33 + dice.below(223))).join(''),
  ];
  const bad = dice.pick(kinds)().replaceAll(';', '_').replaceAll(',', '_');
  // Nothing was changed, or blanks alone, which are no part of a value.
  return bad.trim() === good ? `${bad.trim()}x` : bad;
}

interface Cookies {
  readonly good: string;
  /** A session of somebody else: with both, nobody knows who it is. */
  readonly other: string;
  /** Once good, or good elsewhere. */
  readonly dead: readonly string[];
}

function cookieField({ good, other, dead }: Cookies, dice: Dice): readonly Field[] {
  const bad = dice.below(3) === 0 ? dice.pick(dead) : changed(good, dice);
  const kinds: readonly (() => readonly string[])[] = [
    () => [`${NAME}=${bad}`],
    () => [`${NAME}=${other}; ${NAME}=${good}`],
    () => [`${NAME}=${good}`, `${NAME}=${other}`],
    () => [`${NAME}=${bad}; ${NAME}=${changed(good, dice)}`],
    () => [`${NAME}_0=${good.slice(0, 9)}; ${NAME}_1=${good.slice(9)}`],
    () => [
      dice.pick(['_oauth2', '_OAUTH2_PROXY', '__Host-_oauth2_proxy', `${NAME}_csrf`, ` ${NAME}x`, `${NAME}_2`]) +
        `=${good}`,
    ],
    () => [`a=1; ${NAME}=${bad}; b=2`],
    () => [
      Array.from({ length: 1 + dice.below(200) }, (_, index) => `${NAME}_${index}=${bad.slice(0, 20)}`).join('; '),
    ],
    () => [`${NAME}=${bad.repeat(1 + dice.below(300))}`],
    () => [`${NAME} =${good}x`, `${NAME}=`],
    () => [`${NAME}=${bad}`.replace('=', dice.pick(['-', '==', '%3D', ':', '_=']))],
  ];
  return dice
    .pick(kinds)()
    .map((value) => ['Cookie', value]);
}

const CLAIMS: readonly Field[] = [
  ['Authorization', 'Basic YWxpY2U6cHctYWxpY2U='],
  ['Authorization', 'Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJzdWItYWxpY2UifQ.'],
  ['Authorization', 'Negotiate YII='],
  ['X-Forwarded-User', 'alice'],
  ['X-Forwarded-Email', 'alice@example.com'],
  ['X-Auth-Request-User', 'alice'],
  ['X-Auth-Request-Email', 'alice@example.com'],
  ['X-Auth-Request-Redirect', '/ping'],
  ['X-Forwarded-For', '127.0.0.1'],
  ['X-Real-IP', '127.0.0.1'],
  ['X-Forwarded-Uri', '/ping'],
  ['X-Forwarded-Uri', '/oauth2/sign_in'],
  ['X-Forwarded-Method', 'OPTIONS'],
  ['X-Original-URL', '/robots.txt'],
  ['X-Original-Method', 'OPTIONS'],
  ['X-Forwarded-Proto', 'https'],
  ['X-Forwarded-Host', 'localhost'],
  ['Forwarded', 'for=127.0.0.1;proto=https'],
  ['User-Agent', 'GoogleHC/1.0'],
  ['User-Agent', 'kube-probe/1.33'],
  ['Connection', 'Cookie, Authorization'],
  ['Connection', 'keep-alive, Upgrade'],
  ['Upgrade', 'h2c'],
  ['Expect', '100-continue'],
  ['Content-Type', 'application/json'],
  ['Accept', 'application/json'],
  ['Origin', 'null'],
  ['Access-Control-Request-Method', 'GET'],
  ['Gap-Auth', 'alice@example.com'],
  ['X-Request-Id', 'alice'],
  ['Range', 'bytes=0-0'],
  ['If-None-Match', '*'],
];
const METHODS = ['GET', 'HEAD', 'POST', 'OPTIONS', 'PUT', 'DELETE', 'PATCH', 'TRACE', 'PROPFIND', 'get'];
const QUERIES = [
  '',
  '?',
  '?allowed_groups=',
  '?allowed_groups=%zz',
  '?allowed_emails=alice@example.com',
  '?x=1;y',
  '?rd=/ping',
  '?%00',
  '?__proto__=1',
];

function fuzzedField(dice: Dice): Field {
  const [name, value] = dice.pick(CLAIMS);
  const at = dice.below(value.length + 1);
  const kinds: readonly (() => Field)[] = [
    () => [name, value],
    () => [name.replaceAll('-', dice.pick(['_', '.', '-'])), value],
    () => [dice.pick([name.toUpperCase(), name.toLowerCase()]), value],
    () => [name, value.slice(0, at) + dice.pick(PIECES) + value.slice(at)],
    () => [name, `${value}, ${value}`],
  ];
  return dice.pick(kinds)();
}

function fuzzedRequest(cookies: Cookies, dice: Dice): Buffer {
  const line = `${dice.pick(METHODS)} /oauth2/auth${dice.pick(QUERIES)} HTTP/1.1`;
  const claims = Array.from({ length: dice.below(4) }, () => fuzzedField(dice));
  const cookie = dice.below(5) === 0 ? [] : cookieField(cookies, dice);
  const fields = [...claims, ...cookie].filter(([name, value]) => !CONTROL.test(name + value));
  const text = fields.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  return Buffer.from(`${line}\r\nHost: app.example.com\r\n${text}\r\n`, 'latin1');
}

suite('/oauth2/auth lets nobody in without a live session', () => {
  let provider: Provider;
  let door: Door;
  let jar: Jar;
  let cookies: Cookies;

  before(async () => {
    provider = await startProvider();
    door = await openDoor(provider);
    ({ jar } = await door.signIn('alice'));
    const other = await openDoor(provider, { COOKIE_SECRET: 'another-secret-of-32-bytes-long!' });
    const brief = await openDoor(provider, { COOKIE_EXPIRE: '1s' });
    const value = (of: Jar): string => of.get(NAME) ?? '';
    const out = (await door.signIn('alice')).jar;
    const kept = new Map(out);
    await door.ask('GET /oauth2/sign_out', { jar: out });
    const [foreign, outlived] = [(await other.signIn('alice')).jar, (await brief.signIn('alice')).jar];
    await sleep(2_100);
    assert.equal(
      (await brief.ask('GET /oauth2/auth', { jar: new Map(outlived) })).status,
      401,
      'outlived where it was made',
    );
    await other.end();
    await brief.end();
    const bob = (await door.signIn('bob')).jar;
    cookies = { good: value(jar), other: value(bob), dead: [value(kept), value(foreign), value(outlived)] };
    assert.ok(cookies.dead.every((dead) => dead.length > 20));
  });
  after(async () => {
    await door?.end();
    await provider?.close();
  });

  test('cookies that were signed out, outlived, or made by another', async () => {
    for (const dead of cookies.dead) {
      const answer = await door.ask('GET /oauth2/auth', { jar: new Map([[NAME, dead]]) });
      assert.equal(answer.status, 401);
    }
  });

  test('every single bit of a cookie', async () => {
    for (let at = 0; at < cookies.good.length; at++) {
      for (let bit = 0; bit < 7; bit++) {
        const code = (cookies.good.codePointAt(at) ?? 0) ^ (1 << bit);
        if (code < 33 || code === 59 || code === 127) continue;
        const bad = cookies.good.slice(0, at) + String.fromCodePoint(code) + cookies.good.slice(at + 1);
        const answer = await door.ask('GET /oauth2/auth', { jar: new Map([[NAME, bad]]) });
        assert.ok(answer.status >= 400 && answer.status < 500, `"${bad}" for "${cookies.good}" got ${answer.status}`);
      }
    }
  });

  test('very large cookies and very many', async () => {
    const large = `${NAME}=${'A'.repeat(100_000)}`;
    const many = Array.from({ length: 2_000 }, (_, index) => `${NAME}_${index}=x`).join('; ');
    for (const cookie of [large, many, `${large}; ${NAME}=${cookies.good}`]) {
      const fields: readonly Field[] = [
        ['Host', 'app.example.com'],
        ['Cookie', cookie],
      ];
      const { status } = await sendExactly(door.port, { line: 'GET /oauth2/auth', fields });
      assert.ok(status === 0 || (status >= 400 && status < 500), `got ${status}`);
    }
  });

  test(`${RUNS} changed cookies and fuzzed fields, seed ${SEED}`, async () => {
    const statuses = new Map<number, number>();
    const wrong: string[] = [];
    const work = async (index: number): Promise<void> => {
      const dice = createDice(SEED + index);
      const client = createKeptClient(door.port);
      for (let run = index; run < RUNS && wrong.length < 5; run += CONNECTIONS) {
        const bytes = fuzzedRequest(cookies, dice);
        const status = await client.send(bytes);
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
        if (status < 400 || status >= 500)
          wrong.push(`${status} for ${JSON.stringify(bytes.toString('latin1')).slice(0, 600)}`);
      }
      client.close();
    };
    await Promise.all(Array.from({ length: CONNECTIONS }, (_, index) => work(index)));
    assert.deepEqual(wrong, []);
    assert.ok((statuses.get(401) ?? 0) > RUNS / 2, JSON.stringify([...statuses]));
  });

  test('the session is as good as before, and nothing broke', async () => {
    assert.equal((await door.ask('GET /oauth2/auth', { jar: new Map([[NAME, cookies.good]]) })).status, 202);
    assert.doesNotMatch(door.output(), /TypeError|RangeError|uncaught|unhandled|INTERNAL|    at /i);
  });
});
