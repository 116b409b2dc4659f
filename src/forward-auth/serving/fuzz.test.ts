/** `POSTERN_FUZZ=100000` for more than the usual few thousand. */
import assert from 'node:assert/strict';
import { createHmac, randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { compileRegExp } from '../regular-expression.ts';
import { startServing, type ServingRig } from './_rig.ts';

const RUNS = Number(process.env['POSTERN_FUZZ'] ?? 2_000);
const BATCH = 50;

/** Statuses of pipelined requests on one connection, until it is closed. */
function statusesOf({ port }: ServingRig, requests: readonly string[]): Promise<number[]> {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect(port, '127.0.0.1', () => socket.end(Buffer.from(requests.join(''), 'latin1')));
    socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
    socket.on('error', reject);
    socket.on('close', () => resolve([...text.matchAll(/^HTTP\/1\.1 (\d{3})/gm)].map((match) => Number(match[1]))));
  });
}

const latin1 = (maxLength: number): fc.Arbitrary<string> =>
  fc.array(fc.integer({ min: 0, max: 255 }), { maxLength }).map((codes) => String.fromCharCode(...codes));
/** What may stand in a field value, so that the request gets past the codec. */
const value = latin1(60).map((text) => text.replaceAll(/[\0-\x08\x0a-\x1f\x7f]/g, ''));
const token = fc.stringMatching(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,20}$/);

/** Mutations of a cookie that is good. */
function cookieOf(good: string): fc.Arbitrary<string> {
  const [name = '', sealed = ''] = good.split('=');
  const flip = fc.tuple(fc.nat(sealed.length - 1), fc.stringMatching(/^[A-Za-z0-9_-]$/)).map(([at, char]) => {
    const text = sealed.slice(0, at) + char + sealed.slice(at + 1);
    return text === sealed ? `${name}=${sealed}x` : `${name}=${text}`;
  });
  return fc.oneof(
    flip,
    fc.nat(sealed.length - 1).map((length) => `${name}=${sealed.slice(0, length)}`),
    value.map((text) => `${name}=${text.replaceAll(';', '')}`),
    value.map((text) => `${name}=${sealed}${text.replaceAll(/[;\s]/g, '') || 'x'}`),
    fc.tuple(fc.nat(30), value).map(([part, text]) => `${name}_${part}=${text}`),
    fc.constant(`${name}="${sealed.slice(1)}"`),
    fc.constant(`${name.toUpperCase()}=${sealed}`),
    fc.constant(`${name}%3d${sealed}`),
    value,
    fc.integer({ min: 0, max: 3 }).map(() => `${name}=${forged(name)}`),
  );
}

/** In oauth2-proxy's own form, signed with another secret. */
function forged(name: string): string {
  const payload = randomBytes(200).toString('base64url');
  const time = Math.floor(Date.now() / 1_000);
  const mac = createHmac('sha256', 'another secret').update(`${name}${payload}${time}`).digest('base64url');
  return `${payload}|${time}|${mac}`;
}

const header = fc.oneof(
  fc.tuple(token, value).map(([name, text]) => `${name}: ${text}`),
  fc
    .tuple(
      fc.constantFrom(
        'X-Forwarded-Uri',
        'X-Forwarded-Method',
        'X-Forwarded-Host',
        'X-Forwarded-Proto',
        'X-Forwarded-For',
        'X-Real-IP',
        'X-Original-URL',
        'X-Original-URI',
        'X-Original-Method',
        'X-Auth-Request-Redirect',
        'X-Auth-Request-User',
        'X-Request-Id',
        'Authorization',
      ),
      fc.oneof(
        value,
        fc.constantFrom('/private', '/', 'GET', 'https', '192.0.2.300', 'Bearer ey.ey.x', 'Basic Og==', '127.0.0.1'),
      ),
    )
    .map(([name, text]) => `${name}: ${text}`),
);
const query = fc.oneof(
  fc.constant(''),
  fc.webQueryParameters().map((text) => `?${text}`),
);

function requestOf(cookie: string, headers: readonly string[], target: string): string {
  return `GET ${target} HTTP/1.1\r\nHost: app.example.com\r\nCookie: ${cookie}\r\n${headers.map((line) => `${line}\r\n`).join('')}\r\n`;
}

for (const store of [{ kind: 'server' }, { kind: 'stateless', isMinimal: false }] as const) {
  test(`/oauth2/auth answers cookies and headers that are no session by 401 or 4xx (${store.kind})`, async (t) => {
    const skip = { routes: [{ method: null, isNegated: false, pattern: compileRegExp('^/never-said/') }] };
    const rig = await startServing(t, {
      settings: {
        store,
        skip,
        trust: { reverseProxy: true, trustedIps: ['203.0.113.0/24'] },
        bearer: { accepts: true },
      },
    });
    const good = (await rig.signIn()).replace('Cookie: ', '');
    assert.deepEqual(await statusesOf(rig, [requestOf(good, [], '/oauth2/auth')]), [202]);
    const one = fc.tuple(fc.oneof(cookieOf(good)), fc.array(header, { maxLength: 4 }), query);
    const cases = fc.sample(one, { numRuns: RUNS, seed: 7 });
    for (let from = 0; from < cases.length; from += BATCH) {
      const batch = cases.slice(from, from + BATCH).map(([cookie, headers, asked]) => {
        return requestOf(cookie, headers, `/oauth2/auth${asked}`);
      });
      const answers = await Promise.all(batch.map((request) => statusesOf(rig, [request])));
      for (const [at, statuses] of answers.entries()) {
        assert.ok(
          statuses.length > 0 && statuses.every((status) => status >= 400 && status < 500),
          `${statuses.join()} for ${JSON.stringify(batch[at])}`,
        );
      }
    }
    assert.deepEqual(rig.defects, []);
  });
}

test('/oauth2/auth lets a session in whatever else the request says', async (t) => {
  const rig = await startServing(t, { settings: { trust: { reverseProxy: true } } });
  const good = (await rig.signIn()).replace('Cookie: ', '');
  const harmless = fc.array(header, { maxLength: 4 });
  for (const headers of fc.sample(harmless, { numRuns: 300, seed: 11 })) {
    const [status] = await statusesOf(rig, [requestOf(good, headers, '/oauth2/auth')]);
    assert.ok(status === 202 || status === 400, `${status} for ${JSON.stringify(headers)}`);
  }
  assert.deepEqual(rig.defects, []);
});
