import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as z from 'zod';
import { DIRECTORY } from './_directory.ts';
import { AcmeClient } from './client.ts';
import { AcmeFailure } from './failure.ts';
import { accountKeyOf, newAccountKeyPem } from './jws.ts';
import { authorizationShape } from './messages.ts';
import type { HttpsAnswer, HttpsRequest } from './https.ts';

const signal = new AbortController().signal;
const key = await accountKeyOf(newAccountKeyPem());
const NOW = Date.parse('2026-11-26T12:00:00Z');

interface Scripted {
  readonly client: AcmeClient;
  readonly asked: HttpsRequest[];
  readonly slept: number[];
}

type Reply = Partial<HttpsAnswer> | Error;

/** A CA that answers as it is told, one after the other; directory and nonces by itself. */
function scripted(replies: Reply[], directory: Reply | (() => Reply) = { body: JSON.stringify(DIRECTORY) }): Scripted {
  const asked: HttpsRequest[] = [];
  const slept: number[] = [];
  let nonces = 0;
  const replyTo = ({ url, method }: HttpsRequest): Reply => {
    if (url === 'https://ca.example/dir') return typeof directory === 'function' ? directory() : directory;
    if (method === 'HEAD') return {};
    return replies.shift() ?? new Error('nothing more is scripted');
  };
  const client = new AcmeClient({
    directoryUrl: 'https://ca.example/dir',
    name: 'Test CA',
    clock: { now: () => NOW },
    random: () => 0.5,
    sleep: async (ms) => void slept.push(ms),
    https: {
      close: () => {},
      async ask(message) {
        asked.push(message);
        const reply = replyTo(message);
        if (reply instanceof Error) throw reply;
        nonces += 1;
        return { status: 200, body: '{}', ...reply, headers: { 'replay-nonce': `nonce${nonces}`, ...reply.headers } };
      },
    },
  });
  return { client, asked, slept };
}

const problem = (type: string, detail: string, status = 400, headers = {}): Reply => ({
  status,
  headers,
  body: JSON.stringify({ type: `urn:ietf:params:acme:error:${type}`, detail }),
});

function post({ client }: Scripted): Promise<unknown> {
  const message = {
    url: 'https://ca.example/x',
    payload: {},
    signer: { key, kid: 'https://ca.example/me' },
    step: 'do it',
  };
  return client.post(message, z.object({}), signal);
}

async function failureOf(work: Promise<unknown>): Promise<AcmeFailure> {
  return work.then(
    () => assert.fail('It should have failed'),
    (error: unknown) => {
      assert.ok(error instanceof AcmeFailure, String(error));
      return error;
    },
  );
}

function headerOf(message: HttpsRequest | undefined): { nonce: string; url: string; alg: string; kid: string } {
  const jws = JSON.parse(message?.body ?? '{}') as { protected: string };
  return JSON.parse(Buffer.from(jws.protected, 'base64url').toString()) as ReturnType<typeof headerOf>;
}

test('AcmeClient signs with ES256, the account, the URL and a nonce that is used once', async () => {
  const rig = scripted([{}, {}]);
  await post(rig);
  await post(rig);
  const posts = rig.asked.filter((one) => one.method === 'POST').map(headerOf);
  assert.deepEqual(posts[0], {
    alg: 'ES256',
    kid: 'https://ca.example/me',
    url: 'https://ca.example/x',
    nonce: 'nonce2',
  });
  assert.notEqual(posts[1]?.nonce, posts[0]?.nonce);
  assert.equal(rig.asked.filter((one) => one.method === 'HEAD').length, 1, 'later nonces come with the answers');
});

test('AcmeClient takes a new nonce where the CA refuses one, and gives up at last', async () => {
  const rig = scripted([problem('badNonce', 'unknown'), problem('badNonce', 'unknown'), {}]);
  await post(rig);
  const nonces = rig.asked.filter((one) => one.method === 'POST').map((one) => headerOf(one).nonce);
  assert.equal(new Set(nonces).size, 3);
  assert.deepEqual(
    rig.slept.filter((ms) => ms > 0),
    [],
  );
  const never = scripted(Array.from({ length: 100 }, () => problem('badNonce', 'unknown')));
  assert.equal((await failureOf(post(never))).problem?.type, 'badNonce');
  const stubborn = scripted([...Array.from({ length: 70 }, () => problem('badNonce', 'unknown')), {}]);
  await post(stubborn);
  assert.ok(
    stubborn.slept.some((ms) => ms > 0 && ms < 1000),
    'not as fast as it can',
  );
});

test('AcmeClient waits for a busy CA as long as it asks, and longer waits are left to the schedule', async () => {
  const busy = scripted([{ status: 503, headers: { 'retry-after': '7' } }, { status: 500 }, {}]);
  await post(busy);
  assert.deepEqual(busy.slept, [7000, 1000]);
  const date = scripted([{ status: 503, headers: { 'retry-after': 'Thu, 26 Nov 2026 13:00:00 GMT' }, body: 'later' }]);
  const failure = await failureOf(post(date));
  assert.equal(failure.kind, 'unreachable');
  assert.equal(failure.retryAt, NOW + 3_600_000);
  assert.match(failure.message, /Test CA answers 503 "later"; not again before 2026-11-26T13:00Z/);
});

test('AcmeClient tells a rate limit with its time and never asks again by itself', async () => {
  const rig = scripted([problem('rateLimited', 'too many certificates', 429, { 'retry-after': '86400' })]);
  const failure = await failureOf(post(rig));
  assert.deepEqual([failure.kind, failure.retryAt], ['rate-limited', NOW + 86_400_000]);
  assert.equal(rig.asked.filter((one) => one.method === 'POST').length, 1);
});

test('AcmeClient waits for the end of a short limit, as the CA says it, and guesses none', async () => {
  const short = problem('rateLimited', 'slow down', 429, { 'retry-after': '7' });
  const rig = scripted([short, { status: 429, headers: { 'retry-after': '2' } }, {}]);
  await post(rig);
  assert.deepEqual(rig.slept, [7000, 2000]);
  const silent = scripted([problem('rateLimited', 'slow down', 429)]);
  assert.equal((await failureOf(post(silent))).kind, 'rate-limited');
  const endless = scripted(Array.from({ length: 9 }, () => short));
  assert.equal((await failureOf(post(endless))).retryAt, NOW + 7_000);
  assert.ok(endless.asked.filter((one) => one.method === 'POST').length < 9);
});

test('AcmeClient looks into the directory again where a resource of it has moved', async () => {
  const moved = { ...DIRECTORY, newOrder: 'https://ca.example/v2/order' };
  const directories: Reply[] = [{ body: JSON.stringify(DIRECTORY) }, { body: JSON.stringify(moved) }];
  const gone = problem('malformed', 'no such page', 404);
  const rig = scripted([gone, gone, {}, {}], () => directories.shift() ?? new Error('asked too often'));
  const order = (url: string): Promise<unknown> => {
    const message = { url, payload: {}, signer: { key, kid: 'https://ca.example/me' }, step: 'order' };
    return rig.client.post(message, z.object({}), signal);
  };
  const { newOrder } = await rig.client.directory(signal);
  await Promise.all([order(newOrder), order(newOrder)]);
  const posts = rig.asked.filter((one) => one.method === 'POST');
  assert.deepEqual(
    posts.map(({ url }) => url),
    [newOrder, newOrder, moved.newOrder, moved.newOrder],
  );
  assert.equal(headerOf(posts[3]).url, moved.newOrder, 'the new URL is what is signed');
  assert.equal((await rig.client.directory(signal)).newOrder, moved.newOrder);
});

test('AcmeClient does not go in a circle where the directory says another place each time', async () => {
  let reads = 0;
  const gone = Array.from({ length: 9 }, () => problem('malformed', 'no such page', 404));
  const rig = scripted(gone, () => {
    reads += 1;
    return { body: JSON.stringify({ ...DIRECTORY, newOrder: `https://ca.example/v${reads}/order` }) };
  });
  const { newOrder: url } = await rig.client.directory(signal);
  const signer = { key, kid: 'https://ca.example/me' };
  const failure = await failureOf(rig.client.post({ url, payload: {}, signer, step: 'order' }, z.object({}), signal));
  assert.equal(failure.problem?.detail, 'no such page');
  assert.equal(reads, 2);
});

test('AcmeClient reads the directory again after it has given up, since the CA may be elsewhere by then', async () => {
  const dead = Array.from({ length: 4 }, () => Object.assign(new Error('gone'), { code: 'ECONNREFUSED' }));
  const rig = scripted([...dead, {}]);
  const reads = (): number => rig.asked.filter(({ url }) => url === rig.client.directoryUrl).length;
  await failureOf(post(rig));
  assert.equal(reads(), 1);
  await rig.client.directory(signal);
  assert.equal(reads(), 2);
});

test('AcmeClient takes a member that is null for one that is not there, and a problem for one whatever is odd in it', async () => {
  const odd = {
    ...DIRECTORY,
    renewalInfo: null,
    meta: { website: 7, caaIdentities: null, externalAccountRequired: true },
  };
  const { meta, renewalInfo } = await scripted([], { body: JSON.stringify(odd) }).client.directory(signal);
  assert.deepEqual([meta?.externalAccountRequired, meta?.website, renewalInfo], [true, undefined, undefined]);
  const type = 'urn:ietf:params:acme:error:badNonce';
  const strange = { type, status: '400', detail: ['no'], identifier: 'x', subproblems: { a: null } };
  const rig = scripted([{ status: 400, body: JSON.stringify(strange) }, {}]);
  await post(rig);
});

test('an authorisation is read with kinds of challenges that nobody knows; one that is known has to be right', () => {
  const token = 'x'.repeat(20);
  const http = { type: 'http-01', url: 'https://ca.example/c/1', status: 'pending', token };
  const unknown = { type: 'quantum-01', status: 'waiting', answers: [1] };
  const read = (...challenges: unknown[]): ReturnType<typeof authorizationShape.safeParse> =>
    authorizationShape.safeParse({ status: 'pending', identifier: { type: 'dns', value: 'a.example' }, challenges });
  assert.deepEqual(
    read(unknown, null, http).data?.challenges.map((one) => one.type),
    ['http-01'],
  );
  assert.equal(read({ ...http, token: '../x' }).success, false);
});

test('AcmeClient asks again where the connection breaks, but not for ever', async () => {
  const reset = Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' });
  const rig = scripted([reset, {}]);
  await post(rig);
  const dead = scripted([reset, reset, reset, reset, reset]);
  const failure = await failureOf(post(dead));
  assert.match(failure.message, /^Cannot do it: Test CA cannot be reached at "ca\.example": the connection broke/);
});

test('AcmeClient has patience left for a connection that breaks after many refused nonces', async () => {
  const reset = Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' });
  const refused = problem('badNonce', 'no', 400);
  const rig = scripted([refused, refused, refused, refused, reset, refused, { status: 503 }, {}]);
  await post(rig);
  assert.equal(rig.asked.filter((one) => one.method === 'POST').length, 8);
});

test('AcmeClient explains what is no directory, with the words of the page', async () => {
  const page =
    '<html><head><title>x</title><style>b{}</style></head><body><h1>502\u001b[31m Bad  Gateway</h1></body></html>';
  const html = { body: page, headers: { 'content-type': 'text/html' } };
  const failure = await failureOf(scripted([], html).client.directory(signal));
  assert.equal(failure.kind, 'malformed');
  assert.match(
    failure.message,
    /Test CA does not speak ACME: its answer is "text\/html", not JSON: "x 502\\u001b\[31m Bad Gateway"/,
  );
  const missing = { body: JSON.stringify({ ...DIRECTORY, newOrder: undefined }) };
  assert.match((await failureOf(scripted([], missing).client.directory(signal))).message, /has no good "newOrder"/);
  const plain = { body: JSON.stringify({ ...DIRECTORY, newAccount: 'http://ca.example/account' }) };
  assert.match(
    (await failureOf(scripted([], plain).client.directory(signal))).message,
    /"newAccount" \(an https URL\)/,
  );
  const moved = { status: 301, headers: { location: 'https://evil.example/' } };
  assert.match(
    (await failureOf(scripted([], moved).client.directory(signal))).message,
    /sends the client elsewhere, to "https:\/\/evil\.example\/"/,
  );
});

test('AcmeClient asks for the directory once, and anew after a failure', async () => {
  const rig = scripted([{}, {}]);
  await Promise.all([rig.client.directory(signal), rig.client.directory(signal), rig.client.directory(signal)]);
  assert.equal(rig.asked.length, 1);
  const wrong = scripted([], { body: 'no' });
  await failureOf(wrong.client.directory(signal));
  await failureOf(wrong.client.directory(signal));
  assert.equal(wrong.asked.length, 2);
});

test('AcmeFailure shows the words of a CA on one line, without control characters and not endlessly', async () => {
  const rig = scripted([problem('unauthorized', `line one\r\nline two\u202e\u0007 ${'x'.repeat(2000)}`, 403)]);
  const { message } = await failureOf(post(rig));
  // oxlint-disable-next-line no-control-regex -- what must not be there
  assert.doesNotMatch(message, /[\u0000-\u001f\u202e]/);
  assert.ok(message.length < 800, String(message.length));
  assert.match(message, /the CA says unauthorized "line one line two\\u202e\\u0007 x+…"/);
});

test('AcmeFailure has the remedy of the step where a CA refuses, and none that leads elsewhere', async () => {
  const refused = async (type: string, detail: string): Promise<string | null> =>
    (await failureOf(post(scripted([problem(type, detail, 403)])))).remedy;
  assert.match((await refused('unauthorized', 'not for this account')) ?? '', /does not let this account have it/);
  assert.match((await refused('unauthorized', 'profile x is not yours')) ?? '', /acme\.profile/);
  assert.match((await refused('unauthorized', 'account is deactivated')) ?? '', /postern cert account deactivate/);
  assert.equal(await refused('malformed', 'Invalid identifiers'), null);
  const atChallenge = { type: 'unauthorized', detail: 'Invalid response', status: 403, instance: null };
  const { remedy } = new AcmeFailure({
    kind: 'challenge',
    step: 'prove it',
    problem: { ...atChallenge, identifier: null, subproblems: [] },
  });
  assert.match(remedy ?? '', /is not this Postern/);
});

test('AcmeFailure names what a CA says of each name', async () => {
  const body = JSON.stringify({
    type: 'urn:ietf:params:acme:error:compound',
    detail: 'several',
    subproblems: [
      {
        type: 'urn:ietf:params:acme:error:caa',
        detail: 'CAA forbids',
        identifier: { type: 'dns', value: 'a.example' },
      },
      { type: 'urn:ietf:params:acme:error:dns', detail: 'no A', identifier: { type: 'dns', value: 'b.example' } },
    ],
  });
  const { message } = await failureOf(post(scripted([{ status: 403, body }])));
  assert.match(message, /compound "several"; "a\.example": caa "CAA forbids"; "b\.example": dns "no A"/);
});
