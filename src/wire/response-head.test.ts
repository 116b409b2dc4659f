import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { hasToken, isHopByHop, namedByConnection } from './hop-by-hop.ts';
import { printFields } from './fields.ts';
import { HeaderBlock } from './header-block.ts';
import { FieldText } from './field-text.ts';
import { parseResponseHead, ResponseMemory } from './response-head.ts';
import { PrintedHead } from './response-text.ts';
import { PosternError } from '../core/errors.ts';

const parse = (text: string, isHead = false): ReturnType<typeof parseResponseHead> => parseResponseHead(text, isHead);

test('parseResponseHead() reads status, fields and framing', () => {
  const head = parse('HTTP/1.1 200 OK\r\nContent-Type: a\r\nContent-Length: 12\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n');
  assert.deepEqual([head.status, head.framing, head.length, head.keepAlive], [200, 'length', 12, true]);
  assert.deepEqual(head.headers.keys, ['content-type', 'set-cookie', 'set-cookie']);
  assert.equal(parse('HTTP/1.1 200\r\n').framing, 'close');
  assert.equal(parse('HTTP/1.1 200 \r\nTransfer-Encoding: Chunked\r\n').framing, 'chunked');
  assert.equal(parse('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n').framing, 'none');
});

test('parseResponseHead() knows when a connection stays', () => {
  assert.equal(parse('HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: X, Close\r\n').keepAlive, false);
  assert.equal(parse('HTTP/1.0 200 OK\r\nContent-Length: 1\r\n').keepAlive, false);
  assert.equal(parse('HTTP/1.0 200 OK\r\nContent-Length: 1\r\nConnection: keep-alive\r\n').keepAlive, true);
  const both = 'HTTP/1.0 200 OK\r\nContent-Length: 1\r\nConnection: close\r\nConnection: keep-alive\r\n';
  assert.equal(parse(both).keepAlive, false, 'close counts');
  assert.equal(parse('HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n').keepAlive, false, 'the body ends with it');
  assert.equal(parse('HTTP/1.1 200 OK\r\nContent-Length: 1\r\nKeep-Alive: max=9, timeout=5\r\n').keepAliveMs, 5_000);
});

test('parseResponseHead() knows which answers have no body', () => {
  for (const [text, isHead] of [
    ['HTTP/1.1 200 OK\r\nContent-Length: 5\r\n', true],
    ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n', true],
    ['HTTP/1.1 204 No\r\nContent-Length: 5\r\n', false],
    ['HTTP/1.1 304 No\r\nContent-Length: 5\r\n', false],
    ['HTTP/1.1 103 Hints\r\nLink: a\r\n', false],
  ] as const) {
    assert.equal(parse(text, isHead).framing, 'none', text);
  }
});

test('parseResponseHead() keeps no connection on which a body may come that cannot be', () => {
  for (const [text, keepAlive] of [
    ['HTTP/1.1 204 No\r\n', true],
    ['HTTP/1.1 204 No\r\nContent-Length: 0\r\n', true],
    ['HTTP/1.1 204 No\r\nContent-Length: 5\r\n', false],
    ['HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n', false],
    ['HTTP/1.1 304 No\r\nContent-Length: 5\r\n', true],
  ] as const) {
    assert.equal(parse(text).keepAlive, keepAlive, text);
  }
});

test('parseResponseHead() keeps the lines of ordinary fields as they stand, without those of the connection', () => {
  const head = parse(
    'HTTP/1.1 200 OK\r\nServer: app\r\ndate: now\r\nContent-Length: 1\r\nConnection: keep-alive\r\nAlt-Svc: h3\r\nX-Y:  \r\nETag: "a"\r\n',
  );
  assert.equal(head.lines, null, 'a blank too many: printed anew');
  assert.deepEqual(head.headers.keys, ['server', 'date', 'x-y', 'etag']);
  const plain = parse('HTTP/1.1 200 OK\r\nServer: app\r\nKeep-Alive: timeout=9\r\ndate: now\r\nTE: x\r\nETag: "a"\r\n');
  assert.equal(plain.lines?.text, 'Server: app\r\ndate: now\r\nETag: "a"\r\n');
  assert.equal(plain.lines?.hasDate, true);
  assert.deepEqual(plain.headers.keys, ['server', 'date', 'etag']);
  assert.equal(plain.lines, null, 'whoever has the block may change it');
  const named = parse('HTTP/1.1 200 OK\r\nConnection: X-Secret\r\nX-Secret: 1\r\nX-Other: 2\r\n');
  assert.equal(named.lines, null);
  assert.deepEqual(named.headers.keys, ['x-other']);
});

test('parseResponseHead() sees cookies and event streams without a block', () => {
  assert.ok(parse('HTTP/1.1 200 OK\r\nset-cookie: a=1\r\n').hasSetCookie);
  assert.ok(parse('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n').isEventStream);
  assert.ok(!parse('HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n').isEventStream);
});

test('namedByConnection() lists what to strip, and hasToken() compares whole tokens', () => {
  const headers = HeaderBlock.from({ Connection: ['close, X-A', 'keep-alive,\tx-b ,'], 'X-A': '1' });
  assert.deepEqual([...(namedByConnection(headers) ?? [])], ['x-a', 'x-b']);
  assert.equal(namedByConnection(HeaderBlock.from({ Connection: 'keep-alive' })), null);
  assert.ok(hasToken('a, Upgrade', 'upgrade'));
  assert.ok(!hasToken('a, upgraded', 'upgrade'));
});

const bytes = fc.string({ unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)) });
const fieldName = fc.constantFrom(
  'A',
  'Content-Length',
  'Transfer-Encoding',
  'Connection',
  'content-length',
  'Upgrade',
  'X Y',
  '',
);
const fieldText = fc.oneof(bytes, fc.constantFrom('chunked', '1', '1, 1', 'close', 'Content-Length', ' 7 '));

test('parseResponseHead() throws nothing but UPSTREAM_BAD_RESPONSE, and never keeps a connection field', () => {
  const line = fc.oneof(
    bytes,
    fc.constantFrom('HTTP/1.1 200 OK', 'HTTP/1.0 404 Not Found', 'HTTP/1.1 101 S', 'HTTP/1.1 304 N'),
  );
  const fields = fc.array(fc.tuple(fieldName, fieldText), { maxLength: 5 });
  fc.assert(
    fc.property(line, fields, fc.boolean(), (status, list, isHead) => {
      const text = `${status}\r\n${list.map(([name, value]) => `${name}: ${value}\r\n`).join('')}`;
      try {
        const head = parse(text, isHead);
        assert.ok(head.headers.keys.every((key) => !isHopByHop(key) && key !== 'content-length'));
        assert.ok(head.status >= 100 && head.status <= 599);
        if (head.framing === 'length') assert.ok(head.length > 0 && Number.isSafeInteger(head.length));
      } catch (error) {
        assert.ok(error instanceof PosternError && error.code === 'UPSTREAM_BAD_RESPONSE', String(error));
      }
    }),
    { numRuns: 3_000 },
  );
});

test('parseResponseHead(): lines are what printing their fields gives, whatever an app sends', () => {
  const blank = fc.constantFrom('', ' ', '  ', '\t');
  const name = fc.constantFrom(
    'Server',
    'date',
    'X-A',
    'Set-Cookie',
    'CONTENT-TYPE',
    'ETag',
    'Alt-Svc',
    'Upgrade',
    'te',
  );
  const value = fc.string({ unit: fc.constantFrom('a', ' ', ',', '"', '\u00e9', '\t', ';') });
  const line = fc.tuple(name, blank, value, blank).map(([a, b, c, d]) => `${a}:${b}${c}${d}\r\n`);
  fc.assert(
    fc.property(fc.array(line, { maxLength: 8 }), (lines) => {
      const text = `HTTP/1.1 200 OK\r\n${lines.join('')}`;
      const head = parse(text);
      const kept = head.lines;
      if (kept === null) return;
      const { headers } = head;
      assert.equal(kept.text, printFields(headers));
      assert.equal(kept.hasDate, headers.has('date'));
      assert.equal(kept.hasHsts, headers.has('strict-transport-security'));
      for (const key of headers.keys) assert.ok(!isHopByHop(key) && key !== 'alt-svc', key);
    }),
  );
});

const ANSWER = 'HTTP/1.1 200 OK\r\nDate: Sun, 22 Nov 2026 23:29:42 GMT\r\nContent-Length: 5\r\nX-A: 1\r\n';

test('ResponseMemory answers what parsing anew gives, whatever came before and whoever looked into it', () => {
  const heads = fc.constantFrom(
    ANSWER,
    ANSWER.replace('5', '6'),
    'HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 5\r\n',
    'HTTP/1.1 200 OK\r\nConnection: x-a\r\nX-A: 1\r\nContent-Length: 5\r\n',
    'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\n',
    'HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n',
    `HTTP/1.1 200 OK\r\nX-Long: ${'x'.repeat(3_000)}\r\nContent-Length: 5\r\n`,
  );
  const steps = fc.array(fc.record({ text: heads, isHead: fc.boolean(), isEdited: fc.boolean() }), { maxLength: 30 });
  const factsOf = (head: ReturnType<typeof parseResponseHead>): unknown => {
    const { status, framing, length, keepAlive, keepAliveMs, upgrade, hasSetCookie, isEventStream, lines } = head;
    return { status, framing, length, keepAlive, keepAliveMs, upgrade, hasSetCookie, isEventStream, text: lines?.text };
  };
  fc.assert(
    fc.property(steps, (all) => {
      const memory = new ResponseMemory();
      for (const { text, isHead, isEdited } of all) {
        const bytes = Buffer.from(`..${text}\r\nbody`, 'latin1');
        const end = 2 + text.length + 2;
        const known = memory.recall(bytes, 2, bytes.length, isHead);
        assert.equal(memory.recall(bytes, 2, end - 1, isHead), null, 'a part of a head is none');
        if (known !== null) assert.equal(memory.length, end - 2);
        const head = known ?? memory.read(bytes, 2, end, isHead);
        const fresh = parse(text, isHead);
        assert.deepEqual(factsOf(head), factsOf(fresh));
        if (!isEdited) continue;
        assert.deepEqual(printFields(head.headers), printFields(fresh.headers));
        head.headers.append('X-Edited', 'yes');
      }
    }),
  );
});

test('FieldText.printed() has the bytes of a head that goes out again, and never those of another', () => {
  const lines = new FieldText('Date: now\r\nX-A: \u00e9\r\n', true, false);
  const print = (framing: string, status = 200, hsts: string | null = null): string => {
    const head = new PrintedHead({ status, headers: new HeaderBlock(), lines }, framing, 1, hsts);
    const buffer = Buffer.alloc(head.length);
    assert.equal(head.writeInto(buffer), head.length);
    assert.equal(buffer.toString('latin1'), head.text, 'the text says the same');
    return buffer.toString('latin1');
  };
  const counted = 'HTTP/1.1 200 OK\r\nDate: now\r\nX-A: \u00e9\r\nContent-Length: 5\r\n\r\n';
  for (let i = 0; i < 3; i++) assert.equal(print('Content-Length: 5\r\n'), counted);
  assert.equal(
    print('Transfer-Encoding: chunked\r\n'),
    counted.replace('Content-Length: 5', 'Transfer-Encoding: chunked'),
  );
  for (let i = 0; i < 2; i++) assert.equal(print('Content-Length: 5\r\n'), counted);
  for (let i = 0; i < 2; i++) assert.match(print('Content-Length: 5\r\n', 404), /^HTTP\/1.1 404 /);
  const secure = counted.replace('Content', 'Strict-Transport-Security: max-age=1\r\nContent');
  for (let i = 0; i < 2; i++) assert.equal(print('Content-Length: 5\r\n', 200, 'max-age=1'), secure);
  for (let i = 0; i < 2; i++) assert.equal(print('Content-Length: 5\r\n'), counted);
  const dateless = new FieldText('X-A: 1\r\n', false, false);
  for (let i = 0; i < 3; i++)
    assert.equal(dateless.printed('HTTP/1.1 200 OK\r\n', null, ''), null, 'its Date is of each moment');
});

test('parseResponseHead() knows who signs a connection in and not a request', () => {
  const binds = (value: string): boolean =>
    parseResponseHead(`HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: ${value}\r\n`, false).bindsConnection;
  for (const value of ['NTLM', 'ntlm TlRM', 'Negotiate', 'NEGOTIATE oRQ=', 'Basic realm="x", Negotiate', 'Basic,NTLM'])
    assert.equal(binds(value), true, value);
  for (const value of ['Basic realm="NTLM"', 'Bearer', 'Digest', 'NTLMx', 'x-negotiate'])
    assert.equal(binds(value), false, value);
});
