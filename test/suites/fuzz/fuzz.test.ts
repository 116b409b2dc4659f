/**
 * Forged and damaged cookies, states, codes, tokens and fields through a running gateway, each a mutation of something that is
 * good: no app hears of a stranger, nobody gets a 2xx but on pages for strangers, nothing answers 5xx, and nothing is logged
 * as a defect. What the app is told of nobody is nothing. A hundred thousand in all, a fifth of each kind: POSTERN_FUZZ sets
 * how many of each.
 */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { startTwin, type Twin } from '../../../src/sign-in/oidc/_twin.ts';
import { Dice } from '../../support/dice.ts';
import { addUser, signIn, startPostern, type PosternProcess } from '../../support/postern.ts';
import { sendRaw } from '../../support/raw.ts';
import { startRecordingApp, type RecordingApp } from '../../support/recording-app.ts';
import { createVisitor, nextOf, type Visitor } from '../../support/visitor.ts';

const RUNS = Number(process.env['POSTERN_FUZZ'] ?? 20_000);
const SEED = process.env['POSTERN_FUZZ_SEED'] ?? String(Date.now());
const ON_A_CONNECTION = 25;
const AT_ONCE = 8;
/** No CR and LF: those would end the field, and begin another request. */
const PIECES = '|=|;|,|"|%00|%2e|\u0000|\t|\u00a0|\u00ff|==|../|..%2f|://|Basic|Bearer|null|{}|[]|A'.split('|');
const IDENTITY =
  'X-Forwarded-User X-Forwarded-Email X-Forwarded-Groups X-Forwarded-Preferred-Username X-Auth-Request-User Remote-User'.split(
    ' ',
  );

interface Shot {
  readonly host: string;
  readonly target: string;
  readonly fields: readonly (readonly [name: string, value: string])[];
}

class Spoiler extends Dice {
  /** Never the good text itself, nor what holds it. */
  spoil(good: string): string {
    for (;;) {
      const at = this.roll(good.length + 1);
      const flipped = String.fromCharCode((good.charCodeAt(at) || 65) ^ (1 << this.roll(7)));
      const bad = this.pick([
        good.slice(0, at) + this.pick(PIECES) + good.slice(at),
        good.slice(0, at) + flipped + good.slice(at + 1),
        good.slice(0, at),
        good.slice(at),
        good.split('').toReversed().join(''),
        this.pick(PIECES),
      ]).replaceAll(/[\r\n]/g, '');
      if (!bad.includes(good)) return bad;
    }
  }
}

suite('forged credentials through a running gateway', { timeout: 3_600_000 }, () => {
  let app: RecordingApp;
  let twin: Twin;
  let postern: PosternProcess;
  let alice: Visitor;
  let token = '';
  let jwt = '';
  const dice = new Spoiler(SEED);

  before(async () => {
    twin = await startTwin();
    app = await startRecordingApp();
    postern = await startPostern({
      document: ({ http, health }) => `version: 1
listen: { http: { address: "127.0.0.1:${http}", tls: off }, https: off, health: "127.0.0.1:${health}" }
log: { level: warn }
workers: 1
providers:
  local: { type: local }
  keycloak: { type: oidc, issuer: "${twin.issuer}", client_id: "${twin.clientId}", client_secret: "${twin.clientSecret}", roles_claim: roles, bearer: { audience: api } }
session: { insecure_http: true }
sign_in: { url: "http://auth.localhost:${http}", provider: local }
hosts:
  app.localhost:
    tls: off
    to: "http://127.0.0.1:${app.port}"
    allow: [signed-in, "token:ci", "keycloak:role:pusher"]
    paths: { /open/*: { to: "http://127.0.0.1:${app.port}", allow: [public] } }
`,
    });
    twin.redirectUri = `http://auth.localhost:${postern.http}/.postern/callback/keycloak`;
    const password = await addUserByHttp('alice');
    alice = await signIn(url('app', '/.postern/start?to=/'), 'alice', password);
    token = (await postern.cli('token', 'create', '--for', 'ci')).stdout.trim();
    const exp = Math.floor(Date.now() / 1_000) + 36_000;
    jwt = twin.sign({ iss: twin.issuer, aud: 'api', azp: 'ci', sub: 's-1', roles: ['pusher'], exp });
  });
  after(async () => {
    await postern?.close();
    await app?.close();
    await twin?.stop();
  });

  const url = (host: string, path = '/'): string => `http://${host}.localhost:${postern.http}${path}`;
  const addUserByHttp = (name: string): Promise<string> => addUser(postern, name);

  /** Latin1 as it stands; the answers in order. */
  async function shoot(shots: readonly Shot[]): Promise<void> {
    const text = shots.map(({ host, target, fields }, at) => {
      const lines = fields.map(([name, value]) => `${name}: ${value}\r\n`).join('');
      const last = at === shots.length - 1 ? 'Connection: close\r\n' : '';
      return `GET ${target} HTTP/1.1\r\nHost: ${host}.localhost:${postern.http}\r\n${lines}${last}\r\n`;
    });
    const about = `seed ${SEED}: ${JSON.stringify(shots).slice(0, 4_000)}`;
    const { statuses } = await sendRaw(postern.http, text.join(''), { pauseMs: 0, quietMs: 20_000 });
    // A request that is none is the last of its connection.
    const isCut = statuses.at(-1) === 400 || statuses.at(-1) === 431 || statuses.at(-1) === 414;
    assert.ok(statuses.length === shots.length || (isCut && statuses.length > 0), `${statuses.join()} ${about}`);
    for (const [at, status] of statuses.entries()) {
      assert.ok(status < 500, `${status} ${about}`);
      // A page of the sign-in host, or a public one: but no callback and no landing is either.
      const { host = '', target = '' } = shots[at] ?? {};
      const isForStrangers =
        (host === 'auth' && !target.startsWith('/.postern/callback/')) || target.startsWith('/open/');
      if (!isForStrangers) assert.ok(status >= 300, `${status} at ${at} ${about}`);
    }
  }

  async function shootAll(make: () => Shot): Promise<void> {
    let left = RUNS;
    const next = async (): Promise<void> => {
      while (left > 0) {
        const count = Math.min(left, ON_A_CONNECTION);
        left -= count;
        await shoot(Array.from({ length: count }, make));
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, next));
    assert.doesNotMatch(postern.output(), /"level":"(?:error|fatal)"|INTERNAL/);
  }

  const heard = (): number => app.requests.length;

  /** A user name is nobody's business beside a token: what leaves the token whole is no forgery. */
  const spoilBasic = (): string => {
    for (;;) {
      const bad = dice.spoil(Buffer.from(`ci:${token}`).toString('base64'));
      if (!Buffer.from(bad, 'base64').includes(token)) return bad;
    }
  };

  async function strangersOnly(make: () => Shot): Promise<void> {
    const before = heard();
    const sessions = (await postern.cli('sessions', 'list')).stdout;
    await shootAll(make);
    assert.equal(heard(), before, 'no app heard of a stranger');
    assert.equal((await postern.cli('sessions', 'list')).stdout.split('\n').length, sessions.split('\n').length);
    assert.equal((await alice.send(url('app'))).status, 200, 'who is in is in');
  }

  test(`${RUNS} cookies`, () => {
    const own = alice.cookieHeader(url('app')).split('; ');
    const foreign = alice.cookieHeader(url('auth')).split('; ');
    return strangersOnly(() => {
      const cookies = Array.from({ length: 1 + dice.roll(3) }, () => {
        const [name = '', value = ''] = dice.pick([...own, ...foreign]).split('=');
        return `${dice.roll(3) === 0 ? dice.spoil(name) : name}=${dice.spoil(value)}`;
      });
      const fields = cookies.length > 1 && dice.roll(2) === 0 ? cookies : [cookies.join(dice.pick(['; ', ';', ',']))];
      return { host: 'app', target: '/', fields: fields.map((value) => ['Cookie', value] as const) };
    });
  });

  test(`${RUNS} states and codes of a provider, and codes of a hand-off`, async () => {
    const bob = createVisitor();
    const navigate = { headers: { accept: 'text/html', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' } };
    let page = await bob.send(url('app'), navigate);
    page = await bob.send(`${new URL(nextOf(page) ?? '').href}&provider=keycloak`, navigate);
    const away = new URL(nextOf(page) ?? '');
    assert.equal(away.origin, twin.issuer);
    const back = new URL(twin.visit(away.href));
    const [state, code] = [back.searchParams.get('state') ?? '', back.searchParams.get('code') ?? ''];
    const cookies = [bob.cookieHeader(url('auth')), bob.cookieHeader(url('app'))] as const;
    const flow = /-n-([\w-]+)=/.exec(cookies[1])?.[1] ?? '';
    const encode = (text: string): string => encodeURIComponent(text.replaceAll(/[\ud800-\udfff]/g, '?'));
    await strangersOnly(() => {
      const isLanding = dice.roll(3) === 0;
      const query = isLanding
        ? `code=${encode(dice.spoil(code))}&flow=${dice.roll(2) === 0 ? flow : encode(dice.spoil(flow))}`
        : `state=${encode(dice.spoil(state))}&code=${dice.roll(2) === 0 ? code : encode(dice.spoil(code))}&iss=${encode(twin.issuer)}`;
      const cookie = cookies[isLanding ? 1 : 0];
      const fields = [
        ...Object.entries(navigate.headers),
        ['Cookie', dice.roll(4) === 0 ? dice.spoil(cookie) : cookie],
      ] as const;
      return {
        host: isLanding ? 'app' : 'auth',
        target: `/.postern/${isLanding ? 'land' : 'callback/keycloak'}?${query}`,
        fields: fields.map(([name = '', value = '']) => [name, value] as const),
      };
    });
    assert.ok(!twin.requests.includes('POST /token'), 'no code was tried by a state that is none');
  });

  test(`${RUNS} tokens and passwords`, () =>
    strangersOnly(() => {
      const [head = '', body = '', signature = ''] = jwt.split('.');
      const none = Buffer.from('{"alg":"none"}').toString('base64url');
      const bad = dice.pick([
        () => `Bearer ${dice.spoil(token)}`,
        () => `Bearer ${dice.spoil(jwt)}`,
        () => `Bearer ${head}.${dice.spoil(body)}.${signature}`,
        () => `Bearer ${none}.${body}.${dice.pick(['', signature])}`,
        () => `Basic ${Buffer.from(`${dice.pick(['ci', 'alice', ''])}:${dice.spoil(token)}`).toString('base64')}`,
        () => `Basic ${spoilBasic()}`,
        () => `${dice.spoil('Bearer')} ${dice.spoil(token)}`,
      ])();
      const name = dice.pick(['Authorization', 'Postern-Authorization', 'X-Forwarded-Access-Token']);
      return { host: 'app', target: '/', fields: [[name, bad]] };
    }));

  test(`${RUNS} fields that claim to be somebody`, async () => {
    const claim = (): readonly [string, string] => {
      const spelt = dice
        .pick(IDENTITY)
        .split('-')
        .reduce((name, part) => name + dice.pick(['-', '_', '.']) + (dice.roll(2) === 0 ? part : part.toLowerCase()));
      return [spelt, `forged-${dice.roll(1_000)}`];
    };
    const fields = (): Shot['fields'] => Array.from({ length: 1 + dice.roll(4) }, claim);
    await strangersOnly(() => ({ host: 'app', target: '/', fields: fields() }));
    const before = heard();
    await shootAll(() => ({ host: 'app', target: '/open/x', fields: fields() }));
    assert.ok(heard() > before, 'the public path leads to the app');
    const told = app.requests.slice(before).filter(({ fields: seen }) => JSON.stringify(seen).includes('forged-'));
    assert.deepEqual(told, [], 'and nothing of it reaches it');
  });
});
