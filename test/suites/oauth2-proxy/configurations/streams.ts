/** What passes to and from an application piece by piece: events, uploads, trailers, packed and cached bodies. */
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { flow, one } from '../configuration.ts';
import { HOST } from '../side.ts';
import type { Case, Configuration } from '../configuration.ts';
import type { Jar, Side } from '../side.ts';

/** Of the pause between two pieces; the rest is for a busy machine. */
const SEEN_MS = 200;
const MOST_MS = 20_000;
/** For an answer that may not come before the end of the request. */
const EARLY_MS = 6_000;

const cookieOf = (jar: Jar): string => [...jar].map((pair) => pair.join('=')).join('; ');

/** When each of the words came first, in milliseconds since the request was sent. */
async function arrivals(side: Side, head: readonly string[], words: readonly string[]): Promise<number[]> {
  const socket = connect(side.port, '127.0.0.1');
  const jar = await side.jarOf('alice');
  const seen = new Map<string, number>();
  let text = '';
  const from = performance.now();
  socket.on('error', () => undefined);
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1');
    for (const word of words) if (!seen.has(word) && text.includes(word)) seen.set(word, performance.now() - from);
  });
  socket.write([...head, `Host: ${HOST}`, `Cookie: ${cookieOf(jar)}`, '', ''].join('\r\n'));
  for (let waited = 0; waited < MOST_MS && seen.size < words.length; waited += 20) await sleep(20);
  socket.destroy();
  return words.map((word) => seen.get(word) ?? Number.NaN);
}

/** Whether the first word is there well before the second is sent. */
function piecewise(id: string, path: string, words: readonly [string, string], more: readonly string[] = []): Case {
  return flow(id, async (side) => {
    const [first = Number.NaN, second = Number.NaN] = await arrivals(side, [`GET ${path} HTTP/1.1`, ...more], words);
    side.noteFact('pieces', second - first >= SEEN_MS ? 'each when it is sent' : 'together');
  });
}

/** A body in two pieces with a pause: the application has the first before the second is sent. */
async function uploadInPieces(side: Side): Promise<void> {
  const socket = connect(side.port, '127.0.0.1');
  const jar = await side.jarOf('alice');
  let text = '';
  socket.on('error', () => undefined);
  socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
  const head = [
    `POST /first-piece HTTP/1.1`,
    `Host: ${HOST}`,
    `Cookie: ${cookieOf(jar)}`,
    'Transfer-Encoding: chunked',
  ];
  socket.write(`${[...head, '', ''].join('\r\n')}3\r\nabc\r\n`);
  const isAnswered = (): boolean => /^HTTP\/1\.1 200 [^]*3 bytes/.test(text);
  for (let waited = 0; waited < EARLY_MS && !isAnswered(); waited += 20) await sleep(20);
  side.noteFact('answer before the end of the body', String(isAnswered()));
  socket.write('0\r\n\r\n');
  socket.destroy();
}

async function expectContinue(side: Side): Promise<void> {
  const socket = connect(side.port, '127.0.0.1');
  const jar = await side.jarOf('alice');
  let text = '';
  socket.on('error', () => undefined);
  socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
  const head = [`POST /x HTTP/1.1`, `Host: ${HOST}`, `Cookie: ${cookieOf(jar)}`, 'Expect: 100-continue'];
  socket.write([...head, 'Content-Length: 3', '', ''].join('\r\n'));
  const waitFor = async (pattern: RegExp): Promise<void> => {
    for (let waited = 0; waited < MOST_MS && !pattern.test(text); waited += 20) await sleep(20);
  };
  await waitFor(/\r\n/);
  side.noteFact('first line', text.split('\r\n', 1)[0] ?? '');
  socket.write('abc');
  await waitFor(/HTTP\/1\.1 200/);
  side.noteFact(
    'in the end',
    /HTTP\/1\.1 (\d+) [^]*?\r\n\r\n[^]*HTTP\/1\.1 (\d+)/.exec(text)?.[2] ?? text.slice(9, 12),
  );
  socket.destroy();
}

const cases: readonly Case[] = [
  piecewise('events', '/events', ['data: one', 'data: two']),
  piecewise('events-accept', '/events', ['data: one', 'data: two'], ['Accept: text/event-stream']),
  one('events-whole', 'GET /events', { as: 'alice' }),
  one('events-stranger', 'GET /events', { headers: [['Accept', 'text/event-stream']] }),
  one('pieces-whole', 'GET /pieces', { as: 'alice' }),
  one('trailers', 'GET /trailers', { as: 'alice', headers: [['TE', 'trailers']] }),
  one('cached', 'GET /cached', { as: 'alice' }),
  one('cached-known', 'GET /cached', { as: 'alice', headers: [['If-None-Match', '"v1"']] }),
  one('packed', 'GET /packed', { as: 'alice', headers: [['Accept-Encoding', 'gzip']] }),
  one('large', 'GET /large', { as: 'alice' }),
  one('range', 'GET /range', { as: 'alice', headers: [['Range', 'bytes=0-3']] }),
  one('odd-status', 'GET /odd-status', { as: 'alice' }),
  ...['GET', 'POST'].map((method) =>
    flow(`resets-${method.toLowerCase()}`, async (side) => {
      const { status } = await side.ask(`${method} /resets`, { jar: await side.jarOf('alice') });
      side.noteFact('status', String(status));
    }),
  ),
  flow('upload-pieces', uploadInPieces),
  flow('expect-continue', expectContinue),
  one('upload-large', 'POST /x', { as: 'alice', body: 'y'.repeat(300_000) }),
  one('upload-stranger', 'POST /x', { body: 'y'.repeat(300_000) }),
  one('method-put', 'PUT /x', { as: 'alice', body: 'x' }),
  one('method-patch', 'PATCH /x', { as: 'alice', body: 'x' }),
  one('method-propfind', 'PROPFIND /x', { as: 'alice', headers: [['Depth', '1']] }),
  one('method-odd', 'SUBSCRIBE /x', { as: 'alice' }),
  one('content-length-0', 'POST /x', { as: 'alice', body: '' }),
  one('no-body', 'POST /x', { as: 'alice' }),
  one('long-query', `GET /x?q=${'a'.repeat(6_000)}`, { as: 'alice' }),
  one('many-fields', 'GET /x', {
    as: 'alice',
    headers: Array.from({ length: 60 }, (_, i) => [`X-Field-${i}`, 'v'] as const),
  }),
  one('field-utf8', 'GET /x', { as: 'alice', headers: [['X-Name', 'gr\u00f6\u00dfe']] }),
  one('field-empty', 'GET /x', { as: 'alice', headers: [['X-Empty', '']] }),
  one('user-agent-none', 'GET /x', { as: 'alice' }),
  one('user-agent', 'GET /x', { as: 'alice', headers: [['User-Agent', 'probe/1']] }),
  one('referer-origin', 'GET /x', {
    as: 'alice',
    headers: [
      ['Referer', 'https://app.example.com/before'],
      ['Origin', 'https://app.example.com'],
    ],
  }),
];

export const streams: Configuration = { name: 'streams', env: {}, cases };

/** Events wait for nobody, other bodies for this long. */
export const streamsFlush: Configuration = {
  name: 'streams-flush',
  env: { FLUSH_INTERVAL: '50ms', DISABLE_KEEP_ALIVES: 'true', PROXY_WEBSOCKETS: 'false' },
  cases: [
    piecewise('pieces', '/pieces', ['one', 'two']),
    piecewise('events', '/events', ['data: one', 'data: two']),
    one('app', 'GET /x', { as: 'alice' }),
    one('app-again', 'GET /x', { as: 'alice' }),
    one('websocket', 'GET /ws', {
      as: 'alice',
      headers: [
        ['Connection', 'Upgrade'],
        ['Upgrade', 'websocket'],
        ['Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZQ=='],
        ['Sec-WebSocket-Version', '13'],
      ],
      afterUpgrade: 'hello',
    }),
  ],
};

/** Status and body alone: one speaks HTTP/2 with it, the other HTTP/1.1. */
const overTls = (id: string, line: string, body?: string): Case =>
  flow(id, async (side) => {
    const sent = body === undefined ? {} : { body };
    const answer = await side.ask(line, { jar: await side.jarOf('alice'), ...sent });
    side.noteFact('answer', `${answer.status} ${answer.status === 502 ? '' : answer.body}`);
  });

const tlsCases: readonly Case[] = [
  overTls('get', 'GET /x?y=1'),
  overTls('post', 'POST /x', 'a body'),
  overTls('missing', 'GET /missing'),
  overTls('packed-not', 'GET /twice'),
  piecewise('events', '/events', ['data: one', 'data: two']),
  flow('websocket', async (side) => {
    const jar = await side.jarOf('alice');
    const headers = [
      ['Connection', 'Upgrade'],
      ['Upgrade', 'websocket'],
      ['Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZQ=='],
      ['Sec-WebSocket-Version', '13'],
    ] as const;
    const { status, tunnel } = await side.ask('GET /ws', { jar, headers, afterUpgrade: 'hello' });
    side.noteFact('answer', `${status} ${tunnel}`);
  }),
];

/** An application over TLS with a certificate of nobody. */
export const tlsUpstream: Configuration = {
  name: 'tls-upstream',
  env: { UPSTREAMS: '{tls-app}', SSL_UPSTREAM_INSECURE_SKIP_VERIFY: 'true' },
  cases: tlsCases,
};

export const tlsUpstreamVerified: Configuration = {
  name: 'tls-upstream-verified',
  env: { UPSTREAMS: '{tls-app}' },
  cases: tlsCases.slice(0, 1),
};
