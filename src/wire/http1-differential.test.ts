import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer as createNodeServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { suite, test, type TestContext } from 'node:test';
import * as fc from 'fast-check';
import { frameChunk, lastChunk } from './chunked-encoder.ts';
import { HeaderBlock } from './header-block.ts';
import { connectTo, openRig, readBody, statusesOf } from './http1-rig.test.ts';

/** What a server understood of one request. */
interface Understood {
  readonly method: string;
  readonly target: string;
  readonly fields: readonly string[];
  readonly body: string;
}

interface Subject {
  readonly port: number;
  readonly understood: Understood[];
}

async function openNode(t: TestContext): Promise<Subject> {
  const understood: Understood[] = [];
  const server = createNodeServer((req, res) => {
    let body = '';
    req.setEncoding('latin1');
    req.on('data', (text: string) => (body += text));
    req.on('end', () => {
      understood.push({ method: req.method ?? '', target: req.url ?? '', fields: req.rawHeaders, body });
      res.end('ok');
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, understood };
}

async function openOurs(t: TestContext): Promise<Subject> {
  const understood: Understood[] = [];
  const rig = await openRig(t, (seen) => {
    readBody(seen, () => {
      const { method, path, query, headers } = seen.exchange.request;
      const fields = headers.names.flatMap((name, i) => [name, headers.values[i] as string]);
      understood.push({ method, target: path + query, fields, body: seen.body });
      seen.exchange.respondWhole({ status: 200, headers: new HeaderBlock() }, 'ok');
    });
  });
  return { port: rig.port, understood };
}

/** Sends the pieces in writes of their own, and answers the statuses that came back until the server closed. */
async function send(t: TestContext, port: number, pieces: readonly Buffer[]): Promise<number[]> {
  const client = await connectTo(t, port);
  client.socket.setNoDelay(true);
  for (const piece of pieces) {
    if (piece.length > 0) client.socket.write(piece);
    await new Promise(setImmediate);
  }
  const text = await client.closed();
  client.socket.destroy();
  return statusesOf(text);
}

const letters = (text: string): fc.Arbitrary<string> => fc.constantFrom(...text.split(''));
const method = fc.constantFrom(
  'GET',
  'POST',
  'PUT',
  'DELETE',
  'HEAD',
  'OPTIONS',
  'PATCH',
  'PROPFIND',
  'REPORT',
  'QUERY',
);
const segment = fc.string({ unit: letters("aZ09-_~!$&'()*+,;=:@"), minLength: 1, maxLength: 10 });
const query = fc.string({ unit: letters('aZ09-_~=&?/:@!%[]{}|\\"'), maxLength: 20 });
const name = fc.string({ unit: letters("aZ09-_.!#$%&'*+^`|~"), minLength: 1, maxLength: 14 }).map((text) => `X${text}`);
const value = fc
  .string({ unit: letters('aZ09 \t:;,="\\/()<>@[]{}\xe9\xff'), maxLength: 40 })
  .map((text) => text.replaceAll(/^[ \t]+|[ \t]+$/g, ''));
const body = fc.oneof(
  fc.constant({ kind: 'none' as const }),
  fc.record({ kind: fc.constant('counted' as const), bytes: fc.uint8Array({ maxLength: 200 }) }),
  fc.record({
    kind: fc.constant('chunked' as const),
    chunks: fc.array(fc.uint8Array({ minLength: 1, maxLength: 60 }), { maxLength: 4 }),
  }),
);
const request = fc.record({
  method,
  path: fc.array(segment, { maxLength: 4 }).map((segments) => `/${segments.join('/')}`),
  query: fc.option(
    query.map((text) => `?${text}`),
    { nil: '' },
  ),
  blanks: fc.constantFrom('', ' ', ' \t'),
  fields: fc.array(fc.tuple(name, value), { maxLength: 12 }),
  body,
});
type Request = typeof request extends fc.Arbitrary<infer T> ? T : never;

function print(one: Request, isLast: boolean): Buffer {
  const lines = [`${one.method} ${one.path}${one.query} HTTP/1.1`, 'Host: app.example:8080'];
  for (const [field, text] of one.fields) lines.push(`${field}:${one.blanks}${text}${one.blanks}`);
  const parts: Buffer[] = [];
  if (one.body.kind === 'counted') {
    lines.push(`Content-Length: ${one.body.bytes.length}`);
    parts.push(Buffer.from(one.body.bytes));
  } else if (one.body.kind === 'chunked') {
    lines.push('Transfer-Encoding: chunked');
    parts.push(...one.body.chunks.map((chunk) => frameChunk(Buffer.from(chunk))));
    parts.push(Buffer.from(lastChunk(HeaderBlock.from({ 'X-Sum': '1' }))));
  }
  if (isLast) lines.push('Connection: close');
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), ...parts]);
}

function cut(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const places = cuts.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b);
  return [...places, bytes.length].map((place, i) => bytes.subarray(i === 0 ? 0 : places[i - 1], place));
}

suite('HTTP/1.1 server beside node:http', () => {
  test('both accept valid requests and understand them alike', async (t) => {
    const [ours, node] = [await openOurs(t), await openNode(t)];
    const requests = fc.array(request, { minLength: 1, maxLength: 4 });
    const property = fc.asyncProperty(requests, fc.array(fc.nat(3_000), { maxLength: 5 }), async (all, cuts) => {
      ours.understood.length = 0;
      node.understood.length = 0;
      const bytes = Buffer.concat(all.map((one, i) => print(one, i === all.length - 1)));
      const wanted = all.map(() => 200);
      assert.deepEqual(await send(t, ours.port, cut(bytes, cuts)), wanted);
      assert.deepEqual(await send(t, node.port, [bytes]), wanted);
      assert.deepEqual(ours.understood, node.understood);
    });
    await fc.assert(property, { seed: 9, numRuns: 1_000, interruptAfterTimeLimit: 3_000, endOnFailure: true });
  });

  test('whatever node:http refuses of mutated requests, we refuse too, and nothing hangs or crashes', async (t) => {
    const [ours, node] = [await openOurs(t), await openNode(t)];
    // No HTAB: node:http takes it for a part of Transfer-Encoding's value, RFC 9110 trims it.
    const bit = fc.constantFrom(
      '\r',
      '\n',
      '\0',
      ' ',
      ':',
      ',',
      ';',
      '0',
      'F',
      '-',
      '+',
      '\x80',
      '\r\n',
      '\r\n ',
      'chunked',
    );
    const edits = fc.array(fc.tuple(fc.nat(2_000), bit, fc.boolean()), { minLength: 1, maxLength: 2 });
    const property = fc.asyncProperty(request, edits, async (one, changes) => {
      ours.understood.length = 0;
      node.understood.length = 0;
      let text = print(one, true).toString('latin1');
      for (const [place, piece, isInserted] of changes) {
        // Not in the method: node:http knows a list of them, we take any token.
        const from = one.method.length + 1;
        const at = from + (place % (text.length - from));
        text = text.slice(0, at) + piece + text.slice(isInserted ? at : at + piece.length);
      }
      const ourStatuses = await sendAndEnd(t, ours.port, text);
      await sendAndEnd(t, node.port, text);
      // A 5xx would blame us for the client's mistake; 501 and 505 name what the client asked for.
      assert.ok(
        ourStatuses.every((status) => status < 500 || status === 501 || status === 505),
        JSON.stringify(text),
      );
      // Node drops what it refuses, so each request that we understood must be one of its.
      const known = new Set(node.understood.map((each) => `${each.method} ${each.body}`));
      for (const each of ours.understood) assert.ok(known.has(`${each.method} ${each.body}`), JSON.stringify(text));
    });
    await fc.assert(property, { seed: 10, numRuns: 1_000, interruptAfterTimeLimit: 3_000, endOnFailure: true });
  });
});

async function sendAndEnd(t: TestContext, port: number, text: string): Promise<number[]> {
  const client = await connectTo(t, port);
  client.socket.end(Buffer.from(text, 'latin1'));
  const answer = await client.closed();
  client.socket.destroy();
  return statusesOf(answer);
}
