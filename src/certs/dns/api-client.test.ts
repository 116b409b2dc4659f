import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as z from 'zod';
import { systemClock } from '../../core/clock.ts';
import { type ApiOptions, createApi } from './api-client.ts';
import type { ProviderTools } from './tools.ts';

const signal = new AbortController().signal;
const OPTIONS: ApiOptions = {
  provider: 'Test',
  base: 'https://api.test/v1',
  permission: 'the token may',
  secrets: ['tok-en/42'],
};

function toolsWith(answers: readonly (Response | Error)[], waits: number[] = []): ProviderTools {
  const left = [...answers];
  return {
    fetch: async () => {
      const next = left.shift() ?? new Response('none left', { status: 500 });
      if (next instanceof Error) throw next;
      return next;
    },
    sleep: async (ms) => void waits.push(ms),
    clock: { now: () => Date.parse('2026-01-01T00:00:00Z') },
    random: () => 0.5,
    timeoutMs: 1000,
    environment: {},
  };
}

test('createApi() takes Retry-After as seconds and as a date, and backs off without one', async () => {
  const waits: number[] = [];
  const answers = [
    new Response('', { status: 503, headers: { 'retry-after': '3' } }),
    new Response('', { status: 429, headers: { 'retry-after': 'Thu, 01 Jan 2026 00:00:09 GMT' } }),
    new Response('', { status: 502 }),
    Response.json({ ok: true }),
  ];
  const api = createApi(OPTIONS, toolsWith(answers, waits));
  assert.deepEqual((await api.send({ step: 'x', path: '/', signal })).json, { ok: true });
  assert.deepEqual(waits, [3000, 9000, 2000]);
});

test('createApi() tells a broken connection after four tries, with its reason', async () => {
  const broken = new TypeError('fetch failed', { cause: new Error('connect ECONNREFUSED 192.0.2.1:443') });
  const api = createApi(OPTIONS, toolsWith([broken, broken, broken, broken]));
  await assert.rejects(api.send({ step: 'find the zone', path: '/', signal }), {
    code: 'DNS_PROVIDER_UNAVAILABLE',
    message:
      'Cannot find the zone at Test: api.test cannot be reached: "connect ECONNREFUSED 192.0.2.1:443"; check the network, and a firewall on the way out',
  });
});

test('createApi() masks its secrets in words that repeat them, also encoded', async () => {
  const text = 'bad token tok-en/42, that is tok-en%2F42';
  const api = createApi(OPTIONS, toolsWith([new Response(text, { status: 401 })]));
  await assert.rejects(api.send({ step: 'x', path: '/', signal }), {
    message: /"bad token \*\*\*, that is \*\*\*"; the token may$/,
  });
});

test('createApi() makes words of any length and any bytes one short line', async () => {
  const text = `\u001B]0;x\u0007\n"${'w'.repeat(5000)}\u202E`;
  const api = createApi(OPTIONS, toolsWith([new Response(text, { status: 400 })]));
  await assert.rejects(api.send({ step: 'x', path: '/', signal }), (error: Error) => {
    assert.ok(error.message.length < 500);
    assert.doesNotMatch(error.message, /[\u0000-\u001F\u007F-\u009F\u202E]/);
    return true;
  });
});

test('createApi() reads no answer without end', async () => {
  const endless = new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(1024 * 1024)) });
  const tools = { ...toolsWith([]), fetch: async () => new Response(endless) };
  const error = await createApi(OPTIONS, { ...tools, clock: systemClock })
    .send({ step: 'x', path: '/', signal })
    .catch((reason: unknown) => reason);
  assert.match(String(error), /longer than 4 MiB|locked|disturbed/);
});

test('createApi() never takes its credentials to another origin', async () => {
  const api = createApi(OPTIONS, toolsWith([]));
  await assert.rejects(api.send({ step: 'x', path: 'https://evil.test/next', signal }), /another origin/);
});

test('readIfThere() is null for 404 alone, and other shapes than documented are told', async () => {
  const shape = z.object({ id: z.number() });
  const read = (answer: Response): Promise<unknown> =>
    createApi(OPTIONS, toolsWith([answer])).readIfThere({ step: 'read it', path: '/', signal }, shape);
  assert.equal(await read(new Response('', { status: 404 })), null);
  assert.deepEqual(await read(Response.json({ id: 1 })), { id: 1 });
  await assert.rejects(read(Response.json({ id: 'x' })), {
    code: 'DNS_PROVIDER_UNAVAILABLE',
    message: /api\.test answered 200 with something else than it documents/,
  });
});
