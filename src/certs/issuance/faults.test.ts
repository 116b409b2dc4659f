/** Faults of a CA in the middle of an order, where weeks pass or many orders run: nothing twice, nothing lost, nothing for ever. */
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import type { FakeCa } from './_fake-ca.ts';
import { GONE, HOUR, rigOf, untilNext, wantedOf, type Rig } from './_issuance-rig.ts';
import type { AcmePolicy } from './wanted.ts';
import type { HttpsAnswer } from '../acme/https.ts';

const problem = (status: number, type: string): HttpsAnswer => ({
  status,
  headers: {},
  body: JSON.stringify({ type: `urn:ietf:params:acme:error:${type}`, detail: type }),
});

/** Answers in the CA's place, so many times. */
function instead(ca: FakeCa, path: RegExp, answer: HttpsAnswer, times: number): void {
  let left = times;
  ca.onRequest = ({ url }) => {
    const isMeant = path.test(url) && left > 0;
    if (isMeant) left -= 1;
    ca.trouble = isMeant ? answer : null;
  };
}

function oneCa(rig: Rig): { readonly ca: FakeCa; readonly policy: AcmePolicy } {
  const [ca] = rig.cas as [FakeCa, FakeCa];
  return { ca, policy: { ...rig.policy, cas: rig.policy.cas.slice(0, 1) } };
}

test('Issuance makes one account for all the orders that find the one of before deactivated', async (t) => {
  const rig = rigOf(t);
  const { ca, policy } = oneCa(rig);
  const issuance = await rig.start();
  issuance.want(null, wantedOf(['a.example.com'], policy));
  await issuance.review();
  ca.deactivated.add((await rig.store.findAccount(ca.directory, ''))?.url ?? '');
  let made = 0;
  ca.onRequest = ({ url }) => void (made += url.endsWith('/account') ? 1 : 0);
  const names = Array.from({ length: 12 }, (_, at) => `n${at}.example.com`);
  issuance.want(null, wantedOf(names, policy));
  await issuance.review();
  assert.equal(ca.issued.length, 13, rig.lines.join('\n'));
  assert.equal(made, 1);
});

test('Issuance goes on with an order that is not ready everywhere at the CA', async (t) => {
  const rig = rigOf(t);
  const { ca, policy } = oneCa(rig);
  const issuance = await rig.start();
  instead(ca, /\/finalize\//, problem(403, 'orderNotReady'), 3);
  issuance.want(null, wantedOf(['a.example.com'], policy));
  await issuance.review();
  assert.deepEqual([ca.orders(), ca.issued.length], [1, 1]);
  assert.doesNotMatch(rig.lines.join('\n'), /Cannot/);
});

test('Issuance gives up an order that is never ready until its next try', async (t) => {
  const rig = rigOf(t);
  const { ca, policy } = oneCa(rig);
  const issuance = await rig.start();
  instead(ca, /\/finalize\//, problem(403, 'orderNotReady'), 99);
  issuance.want(null, wantedOf(['a.example.com'], policy));
  await issuance.review();
  assert.match(rig.lines.join('\n'), /error Cannot finalise the order for "a\.example\.com" .*orderNotReady/);
  ca.onRequest = null;
  ca.trouble = null;
  await untilNext(rig, issuance);
  assert.deepEqual([ca.orders(), ca.issued.length], [1, 1], 'by the same order');
});

test('Issuance asks once more for a certificate that is for another key, before it orders another one', async (t) => {
  const rig = rigOf(t);
  const { ca, policy } = oneCa(rig);
  const issuance = await rig.start();
  issuance.want(null, wantedOf(['b.example.com'], policy));
  await issuance.review();
  const body = issuance.entriesFor('b.example.com', policy)[0]?.certificatePem ?? '';
  instead(ca, /\/cert\//, { status: 200, headers: {}, body }, 1);
  issuance.want(null, wantedOf(['a.example.com', 'b.example.com'], policy));
  await issuance.review();
  assert.deepEqual([ca.orders(), issuance.entriesFor('a.example.com', policy).length], [2, 1]);
  assert.doesNotMatch(rig.lines.join('\n'), /Cannot/);
});

test('Issuance orders anew, with another key, where the CA does not take the one that there is', async (t) => {
  const rig = rigOf(t);
  const { ca, policy } = oneCa(rig);
  const issuance = await rig.start();
  instead(ca, /\/finalize\//, problem(400, 'badPublicKey'), 1);
  const requests: string[] = [];
  const spoil = ca.onRequest;
  ca.onRequest = (message) => {
    spoil?.(message);
    if (message.url.includes('/finalize/')) requests.push(csrOf(message.body ?? ''));
  };
  issuance.want(null, wantedOf(['a.example.com'], policy));
  await issuance.review();
  assert.match(rig.lines.join('\n'), /badPublicKey .*\(another key is made for the next try\)/);
  await untilNext(rig, issuance);
  assert.equal(ca.issued.length, 1);
  assert.equal(requests.length, 2);
  assert.notEqual(publicKeyIn(requests[0]), publicKeyIn(requests[1]));
});

test('Issuance does not take up for ever an order whose chain cannot be read', async (t) => {
  const rig = rigOf(t);
  const { ca, policy } = oneCa(rig);
  const issuance = await rig.start();
  instead(ca, /\/cert\/0/, { status: 200, headers: {}, body: 'gone' }, 9_999);
  issuance.want(null, wantedOf(['a.example.com'], policy));
  await issuance.review();
  for (let tries = 0; tries < 4; tries += 1) await untilNext(rig, issuance);
  assert.equal(ca.orders(), 1, 'what is between here and the CA may be mended soon');
  for (let tries = 0; tries < 4 && issuance.status()[0]?.issued === null; tries += 1) await untilNext(rig, issuance);
  assert.equal(ca.orders(), 2);
  assert.equal(issuance.entriesFor('a.example.com', policy).length, 1);
});

test('Issuance completes a renewed chain by the intermediate of the one before, and says what the first one lacks', async (t) => {
  const rig = rigOf(t);
  const { ca, policy } = oneCa(rig);
  const issuance = await rig.start();
  ca.sendsIssuer = false;
  issuance.want(null, wantedOf(['a.example.com'], policy));
  await issuance.review();
  assert.match(
    rig.lines.join('\n'),
    /warn The certificate of CA 1 for "a\.example\.com" came without that of its issuer "Root of one\.ca": .*acme\.preferred_chain/,
  );
  assert.equal(blocksOf(issuance.entriesFor('a.example.com', policy)[0]?.certificatePem), 1, 'in use all the same');
  ca.sendsIssuer = true;
  await issuance.order('a.example.com');
  ca.sendsIssuer = false;
  rig.lines.length = 0;
  await issuance.order('a.example.com');
  const [entry] = issuance.entriesFor('a.example.com', policy);
  assert.equal(blocksOf(entry?.certificatePem), 2);
  assert.doesNotMatch(rig.lines.join('\n'), /without that of its issuer/);
  assert.equal(new X509Certificate(entry?.certificatePem ?? '').subjectAltName, 'DNS:a.example.com');
});

test('Issuance asks a CA that is away by one order at a time, and goes on with all when it is back', async (t) => {
  const rig = rigOf(t);
  const { ca, policy } = oneCa(rig);
  const issuance = await rig.start();
  let asked = 0;
  ca.onRequest = ({ url }) => {
    const isOrder = url.endsWith('/order');
    asked += isOrder ? 1 : 0;
    ca.trouble = isOrder ? { status: 503, headers: {}, body: 'maintenance' } : null;
  };
  const names = Array.from({ length: 60 }, (_, at) => `n${at}.example.com`);
  issuance.want(null, wantedOf(names, policy));
  const pass = async (minutes: number): Promise<void> => {
    for (const end = rig.now + minutes * 60_000; rig.now < end; rig.now += 10_000) await issuance.review();
  };
  await pass(1);
  const first = asked;
  assert.ok(first <= 16 * 4 + 8, `${first} in the first minute`);
  await pass(30);
  assert.ok(asked - first <= 31 * 4, `${asked - first} in half an hour`);
  ca.onRequest = null;
  ca.trouble = null;
  await pass(2);
  assert.equal(ca.issued.length, 60);
});

test('Issuance lets every order find out by itself that a CA is away, where there is another CA to turn to', async (t) => {
  const rig = rigOf(t);
  const [first, second] = rig.cas as [FakeCa, FakeCa];
  first.trouble = { status: 503, headers: {}, body: 'maintenance' };
  const issuance = await rig.start();
  const names = Array.from({ length: 40 }, (_, at) => `n${at}.example.com`);
  issuance.want(null, rig.want(...names));
  for (const end = rig.now + 10 * 60_000; rig.now < end; rig.now += 10_000) await issuance.review();
  assert.equal(second.issued.length, 40);
});

test('Issuance does not take a CA to be away that cannot cope with one certificate', async (t) => {
  const rig = rigOf(t);
  const { ca, policy } = oneCa(rig);
  const issuance = await rig.start();
  let asked = 0;
  ca.onRequest = ({ url }) => {
    const isBad = url.includes('/finalize/0');
    asked += isBad ? 1 : 0;
    ca.trouble = isBad ? { status: 500, headers: {}, body: 'oops' } : null;
  };
  issuance.want(null, wantedOf(['bad.example.com'], policy));
  await issuance.review();
  for (let tries = 0; tries < 4; tries += 1) await untilNext(rig, issuance);
  const before = asked;
  const names = Array.from({ length: 30 }, (_, at) => `n${at}.example.com`);
  issuance.want(null, wantedOf(['bad.example.com', ...names], policy));
  await issuance.review();
  assert.equal(ca.issued.length, 30, 'the others are ordered at once');
  assert.equal(asked, before, 'and it waits as long as it would');
});

test('Issuance tells who asks on demand at once that a CA is away, and tries for who asks when it may be back', async (t) => {
  const rig = rigOf(t);
  const { ca, policy } = oneCa(rig);
  const issuance = await rig.start();
  ca.trouble = GONE;
  const names = ['a', 'b', 'c', 'd'].map((one) => `${one}.example.com`);
  issuance.want(null, wantedOf(names.slice(0, 3), policy));
  await issuance.review();
  issuance.want(null, wantedOf(names, policy));
  assert.equal(await issuance.order('d.example.com', false), null);
  ca.trouble = null;
  rig.now += 61_000;
  issuance.want(null, wantedOf(['d.example.com'], policy));
  assert.equal((await issuance.order('d.example.com', false))?.kind, 'issued');
});

test('Issuance leaves a CA alone that is at its limit, though the operator orders for one name', async (t) => {
  const rig = rigOf(t);
  const { ca, policy } = oneCa(rig);
  const issuance = await rig.start();
  let asked = 0;
  const limited = problem(429, 'rateLimited');
  for (const headers of [{ 'retry-after': '7200' }, {}]) {
    ca.onRequest = ({ url }) => {
      const isOrder = url.endsWith('/order');
      asked += isOrder ? 1 : 0;
      ca.trouble = isOrder ? { ...limited, headers } : null;
    };
    issuance.want(null, wantedOf(['first.example.com'], policy));
    await issuance.review();
    const names = Array.from({ length: 30 }, (_, at) => `n${at}.example.com`);
    issuance.want(null, wantedOf(['first.example.com', ...names], policy));
    await issuance.review();
    assert.equal(asked, 1, `nobody asks before the time is up (${JSON.stringify(headers)})`);
    assert.equal((await issuance.order('n7.example.com'))?.kind, 'failed');
    await issuance.review();
    assert.equal(asked, 2, 'one was ordered by hand');
    rig.now += 8_000_000;
    asked = 0;
    issuance.want(null, []);
  }
});

test('Issuance does not wait for a day where a CA says so of a validation that takes it minutes', async (t) => {
  const rig = rigOf(t);
  const { ca, policy } = oneCa(rig);
  const issuance = await rig.start();
  let looks = 0;
  let nonces = 0;
  ca.onRequest = ({ url }) => {
    ca.trouble = null;
    if (!url.includes('/authz/') || (looks += 1) === 1) return;
    rig.now += 20_000;
    const challenge = {
      type: 'http-01',
      url: 'https://one.ca/challenge/0',
      status: 'processing',
      token: 'a'.repeat(22),
    };
    const identifier = { type: 'dns', value: 'a.example.com' };
    nonces += 1;
    ca.trouble = {
      status: 200,
      headers: { 'retry-after': '86400', 'replay-nonce': `none${nonces}` },
      body: JSON.stringify({ status: 'pending', identifier, challenges: [challenge] }),
    };
  };
  issuance.want(null, wantedOf(['a.example.com'], policy));
  await issuance.review();
  assert.match(rig.lines.join('\n'), /has not come to an end in five minutes(?!; not again)/);
  const [line] = issuance.status();
  assert.ok((line?.nextAt ?? 0) - rig.now < 2 * 60_000, 'it is taken up again soon');
  ca.onRequest = null;
  ca.trouble = null;
  await untilNext(rig, issuance);
  assert.deepEqual([ca.issued, ca.orders()], [['a.example.com'], 1]);
});

test('Issuance does not wait until a clock that ran ahead is caught up with, nor after a restart', async (t) => {
  const limited = { ...problem(429, 'rateLimited'), headers: { 'retry-after': '600' } };
  for (const trouble of [GONE, { status: 503, headers: {}, body: 'maintenance' }, limited]) {
    const rig = rigOf(t);
    const { ca, policy } = oneCa(rig);
    const names = ['a', 'b', 'c', 'd'].map((one) => `${one}.example.com`);
    const issuance = await rig.start();
    // As where a machine starts nine hours ahead, and without a network.
    ca.trouble = trouble;
    issuance.want(null, wantedOf(names, policy));
    await issuance.review();
    rig.now -= 9 * HOUR;
    ca.trouble = null;
    const other = await rig.start('another');
    for (const one of [issuance, other]) {
      one.want(null, wantedOf(names, policy));
      for (const end = rig.now + 11 * 60_000; rig.now < end; rig.now += 30_000) await one.review();
      assert.deepEqual(
        one.status().filter(({ issued }) => issued === null),
        [],
      );
    }
    assert.equal(ca.issued.length, 4);
  }
});

test('Issuance leaves a CA alone for as long as it said, though the machine began in 1970 meanwhile', async (t) => {
  const rig = rigOf(t);
  const { ca, policy } = oneCa(rig);
  const began = rig.now;
  let asked = 0;
  ca.onRequest = ({ url }) => void (asked += url.endsWith('/order') ? 1 : 0);
  ca.trouble = { ...problem(429, 'rateLimited'), headers: { 'retry-after': '86400' } };
  const first = await rig.start();
  first.want(null, wantedOf(['a.example.com'], policy));
  await first.review();
  await first.close();
  ca.trouble = null;
  asked = 0;
  // Without a battery, until it has asked what time it is; and again after that.
  rig.now = 20_000;
  const issuance = await rig.start();
  issuance.want(null, wantedOf(['a.example.com'], policy));
  for (const now of [30_000, began + HOUR, 40_000, 50_000, began + 23 * HOUR]) {
    rig.now = now;
    await issuance.review();
    assert.equal(asked, 0, new Date(now).toISOString());
  }
  rig.now = began + 24 * HOUR + 60_000;
  await issuance.review();
  assert.deepEqual([asked, ca.issued], [1, ['a.example.com']]);
});

test('Issuance leaves a CA alone no longer than it said where the clock was ahead once, and runs to that moment', async (t) => {
  const rig = rigOf(t);
  const { ca, policy } = oneCa(rig);
  ca.trouble = { ...problem(429, 'rateLimited'), headers: { 'retry-after': '86400' } };
  const issuance = await rig.start();
  issuance.want(null, wantedOf(['a.example.com'], policy));
  await issuance.review();
  rig.now -= 9 * HOUR;
  const began = rig.now;
  ca.trouble = null;
  for (; ca.issued.length === 0 && rig.now < began + 40 * HOUR; rig.now += 10 * 60_000) await issuance.review();
  const hours = (rig.now - began) / HOUR;
  assert.ok(hours >= 24 && hours < 25, `${hours} hours`);
});

const blocksOf = (pem = ''): number => pem.split('BEGIN CERTIFICATE').length - 1;

function csrOf(body: string): string {
  const { payload } = JSON.parse(body) as { payload: string };
  return (JSON.parse(Buffer.from(payload, 'base64url').toString()) as { csr: string }).csr;
}

/** The point of a P-256 key: 65 bytes after its algorithm. */
function publicKeyIn(csr = ''): string {
  const der = Buffer.from(csr, 'base64url');
  const at = der.indexOf(Buffer.from('034200 04'.replaceAll(' ', ''), 'hex'));
  assert.notEqual(at, -1);
  return der.subarray(at + 3, at + 67).toString('hex');
}
