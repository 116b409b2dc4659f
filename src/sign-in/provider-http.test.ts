import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createProviderHttp } from './provider-http.ts';

test('fetch() gives up a provider that stands still, but waits longer for the answer to a refresh token', async () => {
  const server = createServer((req, res) => {
    void sleep(400).then(() => req.resume() && res.end('late'));
  });
  await new Promise<void>((done) => {
    server.listen(0, '127.0.0.1', done);
  });
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const options = { publicOrigin: origin, internalUrl: null, caPem: null, timeoutMs: 100 };
  const http = createProviderHttp({ ...options, isPatient: true });
  const hasty = createProviderHttp(options);
  const post = (form: Record<string, string>, by = http): Promise<string> =>
    by.fetch(`${origin}/token`, { method: 'POST', body: new URLSearchParams(form) }).then((answer) => answer.text());
  try {
    await assert.rejects(http.fetch(`${origin}/keys`), { name: 'AbortError' });
    await assert.rejects(post({ grant_type: 'authorization_code', code: 'grant_type=refresh_token' }));
    assert.equal(await post({ grant_type: 'refresh_token', refresh_token: 'r' }), 'late');
    await assert.rejects(post({ grant_type: 'refresh_token', refresh_token: 'r' }, hasty));
  } finally {
    http.close();
    hasty.close();
    server.closeAllConnections();
    server.close();
  }
});

test('fetch() sends what many ask for a few at a time, and counts the time of each from when it is sent', async () => {
  const state = { running: 0, most: 0 };
  const server = createServer((_, res) => {
    state.most = Math.max(state.most, ++state.running);
    void sleep(50).then(() => {
      state.running--;
      res.end('ok');
    });
  });
  await new Promise<void>((done) => {
    server.listen(0, '127.0.0.1', done);
  });
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const options = { publicOrigin: origin, internalUrl: null, caPem: null, timeoutMs: 2_500 };
  const http = createProviderHttp(options);
  const impatient = createProviderHttp({ ...options, longestWaitMs: 20 });
  try {
    // Longer than one may take.
    const answers = await Promise.all(Array.from({ length: 32 * 60 }, () => http.fetch(origin)));
    assert.ok(answers.every(({ status }) => status === 200));
    assert.ok(state.most <= 32, `${state.most} at once`);
    const results = await Promise.allSettled(Array.from({ length: 40 }, () => impatient.fetch(origin)));
    const failed = results.filter((result) => result.status === 'rejected');
    assert.equal(failed.length, 8);
    assert.ok(failed.every(({ reason }) => (reason as Error).name === 'TimeoutError'));
    assert.equal((await impatient.fetch(origin)).status, 200);
  } finally {
    http.close();
    impatient.close();
    server.closeAllConnections();
    server.close();
  }
});

test('fetch() hands an answer over when it is its turn, and takes no seat for the wait', async () => {
  const server = createServer((_, res) => void res.end('ok'));
  await new Promise<void>((done) => {
    server.listen(0, '127.0.0.1', done);
  });
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const held: (() => void)[] = [];
  const turn = (): Promise<void> => new Promise((resolve) => held.push(resolve));
  const http = createProviderHttp({ publicOrigin: origin, internalUrl: null, caPem: null, turn });
  try {
    // More than there are seats: all of them come although none was handed over.
    const answers = Array.from({ length: 100 }, () => http.fetch(origin));
    while (held.length < answers.length) await sleep(1);
    const first = Promise.race(answers.map((answer) => answer.then(() => 'handed over')));
    assert.equal(await Promise.race([first, Promise.resolve('waits')]), 'waits');
    for (const release of held) release();
    assert.equal((await Promise.all(answers)).length, 100);
  } finally {
    http.close();
    server.closeAllConnections();
    server.close();
  }
});

test('close() lets what is under way come to its end: a refresh token is taken once, and the answer has the next one', async () => {
  const arrived = Promise.withResolvers<void>();
  const goOn = Promise.withResolvers<void>();
  const server = createServer((_, res) => {
    arrived.resolve();
    void goOn.promise.then(() => res.end('the next token'));
  });
  await new Promise<void>((done) => {
    server.listen(0, '127.0.0.1', done);
  });
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const http = createProviderHttp({ publicOrigin: origin, internalUrl: null, caPem: null, isPatient: true });
  try {
    const body = new URLSearchParams({ grant_type: 'refresh_token', refresh_token: 'r' });
    const answer = http.fetch(`${origin}/token`, { method: 'POST', body });
    await arrived.promise;
    http.close();
    goOn.resolve();
    assert.equal(await (await answer).text(), 'the next token');
    await new Promise<void>((done) => {
      server.close(() => done());
    });
  } finally {
    goOn.resolve();
    server.closeAllConnections();
    server.close();
  }
});
