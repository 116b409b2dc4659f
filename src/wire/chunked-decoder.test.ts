import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { ChunkedDecoder } from './chunked-decoder.ts';
import { frameChunk, lastChunk } from './chunked-encoder.ts';
import { HeaderBlock } from './header-block.ts';
import { HttpSyntaxError } from './http-syntax-error.ts';

interface Decoded {
  readonly body: string;
  readonly trailers: HeaderBlock | null | undefined;
  readonly rest: string;
  readonly rule: string | null;
}

/** Feeds the pieces one after the other, and again what a refused write left. */
function decode(pieces: readonly Buffer[], refuse = false): Decoded {
  let body = '';
  let trailers: HeaderBlock | null | undefined;
  const decoder = new ChunkedDecoder({
    onData(slice) {
      body += slice.toString('latin1');
      return !refuse;
    },
    onEnd(found) {
      trailers = found;
    },
  });
  let rest = '';
  try {
    for (const piece of pieces) {
      let at = 0;
      while (at < piece.length && !decoder.isDone) at = decoder.write(piece, at);
      rest += piece.subarray(at).toString('latin1');
    }
  } catch (error) {
    assert.ok(error instanceof HttpSyntaxError, String(error));
    return { body, trailers, rest, rule: error.rule };
  }
  return { body, trailers, rest, rule: null };
}

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');

test('ChunkedDecoder reads chunks, hides extensions and leaves what follows', () => {
  const found = decode([bytes('5;a=b;c="d"\r\nhello\r\n00A\r\n0123456789\r\n0\r\n\r\nGET /')]);
  assert.deepEqual(found, { body: 'hello0123456789', trailers: null, rest: 'GET /', rule: null });
});

test('ChunkedDecoder drops trailers that must not be there, in every spelling', () => {
  const lines = ['Content-Length: 1', 'transfer-encoding: chunked', 'Host: evil', 'Authorization: x', 'Cookie: a=b'];
  lines.push('Set-Cookie: a=b', 'Content-Type: a', 'TE: trailers', 'Trailer: x', 'X-Forwarded-For: 1.1.1.1');
  lines.push('X_Forwarded_User: root', 'Remote.User: root', 'X-Auth-Request-Email: a@b', 'Forwarded: for=x');
  const found = decode([bytes(`0\r\n${lines.join('\r\n')}\r\nGrpc-Status: 0\r\n\r\n`)]);
  assert.deepEqual([...(found.trailers ?? [])], [['Grpc-Status', '0', 'grpc-status']]);
  assert.equal(decode([bytes(`0\r\n${lines.join('\r\n')}\r\n\r\n`)]).trailers, null);
});

test('F6, F7: ChunkedDecoder refuses odd sizes and line ends', () => {
  const payloads = ['0x5\r\nhello', '+5\r\nhello', '-5\r\n', '5_0\r\n', ' 5\r\n', '5 \r\nhello', '5\t\r\nhello'];
  payloads.push('\r\n', ';a\r\n', 'g\r\n', '5\nhello', '5\r\nhello\n', '5\r\nhelloX', '5\r\nhello\rX', '5\rhello');
  payloads.push('20000000000000\r\n', 'fffffffffffffffff\r\n', '00000000000000005\r\n', '5;a\nhello', '5;a\rb\r\n');
  payloads.push(
    '5;a\0\r\n',
    '0\r\n\n',
    '0\r\nA: b\n\r\n',
    '0\r\nA: b\r\n c\r\n\r\n',
    '0\r\nA : b\r\n\r\n',
    '0\r\n\rX\n',
  );
  payloads.push('0\n\n', '0\r\nA: b\0\r\n\r\n', '5;"\n"\r\nhello');
  payloads.push('5;\r\nhello', '5;a;\r\nhello', '5;a="\r\nhello', '5;a="\\"\r\nhello', '5;=a\r\nhello');
  for (const text of payloads) {
    const whole = decode([bytes(text)]);
    assert.notEqual(whole.rule, null, JSON.stringify(text));
    assert.equal(whole.trailers, undefined, JSON.stringify(text));
  }
});

test('F8: ChunkedDecoder bounds extensions and trailers over the whole message', () => {
  const chunk = `1;${'e'.repeat(1_000)}\r\nx\r\n`;
  assert.equal(decode([bytes(`${chunk.repeat(15)}0\r\n\r\n`)]).rule, null);
  assert.equal(decode([bytes(`${chunk.repeat(17)}0\r\n\r\n`)]).rule, 'chunk-extension-size');
  assert.equal(decode([bytes(`0\r\nA: ${'b'.repeat(9_000)}\r\n\r\n`)]).rule, 'trailer-size');
  assert.equal(decode([bytes(`0\r\n${'A: b\r\n'.repeat(65)}\r\n`)]).rule, 'field-count');
});

const body = fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { maxLength: 6 });
const message = body.map((chunks) => {
  const trailers = HeaderBlock.from({ 'X-Sum': 'a b', Digest: '1' });
  const framed = chunks.map((chunk) => frameChunk(Buffer.from(chunk)));
  return { body: Buffer.concat(chunks), bytes: Buffer.concat([...framed, bytes(lastChunk(trailers))]) };
});

function split(buffer: Buffer, cuts: readonly number[]): Buffer[] {
  const places = [...new Set(cuts.map((cut) => cut % (buffer.length + 1)))].sort((a, b) => a - b);
  const edges = [0, ...places, buffer.length];
  return edges.slice(1).map((edge, i) => buffer.subarray(edges[i], edge));
}

test('ChunkedDecoder reads back frameChunk() and lastChunk(), split anywhere, refused or not', () => {
  fc.assert(
    fc.property(message, fc.array(fc.nat(500)), fc.boolean(), (sent, cuts, refuse) => {
      const found = decode(split(Buffer.concat([sent.bytes, bytes('NEXT')]), cuts), refuse);
      assert.equal(found.body, sent.body.toString('latin1'));
      assert.equal(found.rest, 'NEXT');
      assert.deepEqual(found.trailers?.getAll('x-sum'), ['a b']);
    }),
    { seed: 3, numRuns: 400 },
  );
});

test('ChunkedDecoder answers the same for any input however it is split', () => {
  const text = fc.array(fc.constantFrom('0', '1', '5', 'a', '\r\n', '\r', '\n', ';', ' ', ':', 'hello', 'A: b\r\n'));
  fc.assert(
    fc.property(text, fc.array(fc.nat(60)), (parts, cuts) => {
      const all = bytes(parts.join(''));
      const whole = decode([all]);
      const pieces = decode(split(all, cuts));
      assert.equal(pieces.rule, whole.rule);
      assert.equal(pieces.body, whole.body);
      assert.deepEqual(pieces.trailers, whole.trailers);
    }),
    { seed: 4, numRuns: 3000 },
  );
});

test('lastChunk() writes no trailer that must not be there', () => {
  assert.equal(lastChunk(null), '0\r\n\r\n');
  assert.equal(lastChunk(HeaderBlock.from({ 'Content-Length': '5' })), '0\r\n\r\n');
  assert.equal(lastChunk(HeaderBlock.from({ A: 'b', Host: 'x' })), '0\r\nA: b\r\n\r\n');
});
