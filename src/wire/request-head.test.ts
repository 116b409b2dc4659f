import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { printFields } from './fields.ts';
import { HeaderBlock } from './header-block.ts';
import { HttpSyntaxError } from './http-syntax-error.ts';
import { CHUNKED, FieldMemory, type Http1RequestHead, parseRequestHead } from './request-head.ts';

const LIMITS = { headerCount: 50, targetBytes: 200, headerBytes: 32_768 };

function parse(text: string): Http1RequestHead {
  return parseRequestHead(text, 0, text.length, LIMITS);
}

/** A head of the lines, with Host unless one is given. */
function head(lines: readonly string[], start = 'POST / HTTP/1.1'): string {
  return `${[start, 'Host: a.example', ...lines].join('\r\n')}\r\n`;
}

function verdict(text: string): string {
  try {
    parse(text);
  } catch (error) {
    assert.ok(error instanceof HttpSyntaxError, String(error));
    return `${error.status} ${error.rule}`;
  }
  return 'accepted';
}

test('parseRequestHead() reads a request', () => {
  const found = parse(head(['Content-Length: 5', 'X-A: b'], 'PUT /a/../b?c=d HTTP/1.1'));
  assert.equal(found.method, 'PUT');
  assert.equal(found.path, '/b');
  assert.equal(found.query, '?c=d');
  assert.equal(found.host, 'a.example');
  assert.equal(found.port, null);
  assert.equal(found.version, '1.1');
  assert.equal(found.bodyLength, 5);
  assert.ok(found.keepAlive);
  assert.deepEqual(found.headers.names, ['Host', 'Content-Length', 'X-A']);
});

test('FieldMemory answers what parsing anew gives, whatever came before on the connection', () => {
  const heads = fc.constantFrom(
    head(['X-A: 1'], 'GET /a?b=c HTTP/1.1'),
    head(['X-A: 2'], 'GET /a?b=c HTTP/1.1'),
    head(['X-A: 1'], 'GET /b?b=c HTTP/1.1'),
    head(['X-A: 1'], 'PUT /a?b=c HTTP/1.0'),
    head(['Connection: close'], 'GET / HTTP/1.1'),
    head([`X-Long: ${'x'.repeat(5_000)}`], 'GET / HTTP/1.1'),
    ...['Cookie: a=b', 'Cookie: a=b; c=d', 'cookie:a=b', 'COOKIE: a=b', 'Cookie:  a=b ', 'Cookie:'].map((line) =>
      head([line]),
    ),
    head(['X-A: 1', 'Cookie: a=b', 'X-B: 2']),
    head(['Cookie: a=b', 'Cookie: a=b']),
    head(['Cookie: a=b', 'cookie: c=d']),
    head(['X-Cookie: a=b', 'Cookie: a=b']),
  );
  fc.assert(
    fc.property(fc.array(heads, { maxLength: 30 }), (all) => {
      const memory = new FieldMemory();
      for (const text of all) {
        const bytes = Buffer.from(`${text}\r\n`, 'latin1');
        const found = memory.recallHead(bytes) ?? parseRequestHead(text, 0, text.length, LIMITS, memory);
        memory.keepHead(bytes, found);
        assert.deepEqual(factsOf(found), factsOf(parse(text)));
        const line = found.headers.cookieLine;
        if (line !== null) assert.deepEqual(found.headers.getAll('cookie'), [line.value], 'it is the only one');
      }
      const last = all.at(-1);
      if (last === undefined) return;
      const known = memory.recallHead(Buffer.from(`${last}\r\n`, 'latin1'));
      assert.equal(known !== null, last.length < 4_096, 'a long one is not kept');
      if (known !== null) assert.ok(known.headers.isRemembered);
    }),
  );
});

/** As the server reads heads that come each in a piece of its own; `behind`: bytes of the next one that came with it. */
function readWhole(memory: FieldMemory, bytes: Buffer, behind = 0): Http1RequestHead {
  const known = behind === 0 ? (memory.recallHead(bytes) ?? memory.recallFields(bytes, LIMITS)) : null;
  if (known !== null) return known;
  const text = bytes.toString('latin1');
  const from = /^(?:\r\n)*/.exec(text)?.[0].length ?? 0;
  const end = text.indexOf('\r\n\r\n', from);
  if (end === -1) throw new HttpSyntaxError('head-truncated');
  const found = parseRequestHead(text, from, end + 2, LIMITS, memory);
  if (behind === 0 && end + 4 === bytes.length) memory.keepHead(bytes, found);
  return found;
}

function outcome(read: () => Http1RequestHead): unknown {
  try {
    return factsOf(read());
  } catch (error) {
    assert.ok(error instanceof HttpSyntaxError, String(error));
    return `${error.status} ${error.rule}`;
  }
}

test('FieldMemory reads a request line alone where the fields are those of the request before, and as strictly', () => {
  const lines = fc.oneof(
    fc.constantFrom(
      'GET / HTTP/1.1',
      'GET /a/b?c=d HTTP/1.1',
      'GET /a/b?c=d HTTP/1.0',
      'POST /a//b/../c HTTP/1.1',
      'get / HTTP/1.1',
      'GET  / HTTP/1.1',
      'GET / HTTP/1.2',
      'GET / HTTP/1.1 ',
      'GET /a b HTTP/1.1',
      'GET /\rb HTTP/1.1',
      'GET /%00 HTTP/1.1',
      'GET /?a#b HTTP/1.1',
      'GET http://a.example/x HTTP/1.1',
      'GET http://b.example/x HTTP/1.1',
      'OPTIONS * HTTP/1.1',
      'GET * HTTP/1.1',
      `GET /${'a'.repeat(300)} HTTP/1.1`,
      // A line and a field more: what follows is as before all the same.
      'GET / HTTP/1.1\r\nX-More: 1',
      'GET / HTTP/1.1\r\nContent-Length: 5',
      'GET / HTTP/1.1\r\nHost: b.example',
      'GET / HTTP/1.1\nX-More: 1',
      'GET / HTTP/1.1\r\n\r\nGET /b HTTP/1.1',
      '\r\nGET / HTTP/1.1',
      '\r\nGET /c HTTP/1.1',
      'GET /d HTTP/1.1\r\nGET / HTTP/1.1',
      '',
      ' ',
    ),
    fc.string({ unit: 'binary-ascii', maxLength: 20 }).map((path) => `GET /${path} HTTP/1.1`),
  );
  const fields = fc.constantFrom('Host: a.example', 'Host: a.example\r\nX-A: 1', 'Host: a.example\r\nX-A: 2', 'X-A: 1');
  const request = fc.record({ line: lines, fields, isFollowed: fc.boolean() });
  fc.assert(
    fc.property(fc.array(request, { minLength: 2, maxLength: 12 }), (all) => {
      const memory = new FieldMemory();
      for (const { line, fields: rest, isFollowed } of all) {
        const bytes = Buffer.from(`${line}\r\n${rest}\r\n\r\n`, 'latin1');
        const anew = outcome(() => readWhole(new FieldMemory(), bytes, 1));
        assert.deepEqual(
          outcome(() => readWhole(memory, bytes, isFollowed ? 1 : 0)),
          anew,
        );
      }
    }),
    { numRuns: 2_000 },
  );
});

test('FieldMemory hands out the same fields for another target, and none for another version or another field', () => {
  const memory = new FieldMemory();
  const bytesOf = (line: string, rest = 'Host: a.example\r\nX-A: 1'): Buffer =>
    Buffer.from(`${line}\r\n${rest}\r\n\r\n`, 'latin1');
  const first = readWhole(memory, bytesOf('GET /a HTTP/1.1'));
  const second = memory.recallFields(bytesOf('POST /b?c HTTP/1.1'), LIMITS);
  assert.ok(second !== null);
  assert.deepEqual([second.method, second.path, second.query, second.host], ['POST', '/b', '?c', 'a.example']);
  assert.equal(second.headers, first.headers);
  assert.ok(second.headers.isRemembered);
  assert.equal(memory.recallFields(bytesOf('GET /a HTTP/1.0'), LIMITS), null);
  assert.equal(memory.recallFields(bytesOf('GET /a HTTP/1.1', 'Host: a.example\r\nX-A: 2'), LIMITS), null);
  assert.equal(memory.recallFields(bytesOf('GET /a HTTP/1.1\r\nX-B: 1'), LIMITS), null);
  // Read from a piece with another request behind it: the fields that are remembered are those of the first still.
  readWhole(memory, bytesOf('GET /a HTTP/1.1', 'Host: b.example\r\nX-A: 1'), 1);
  assert.equal(memory.recallFields(bytesOf('GET /c HTTP/1.1'), LIMITS)?.host, 'a.example');
});

test('FieldMemory hands out the same Cookie line as long as it is repeated, whatever stands around it', () => {
  const memory = new FieldMemory();
  const lineOf = (...lines: string[]): unknown => {
    const text = head(lines);
    return parseRequestHead(text, 0, text.length, LIMITS, memory).headers.cookieLine;
  };
  assert.equal(lineOf('Cookie: a=b', 'X-A: 1'), null, 'the first is not repeated');
  const line = lineOf('X-A: 2', 'Cookie: a=b');
  assert.ok(line !== null);
  assert.equal(lineOf('Cookie: a=b', 'X-A: 3'), line);
  assert.equal(lineOf('Cookie: a=c', 'X-A: 3'), null);
  assert.equal(lineOf('Cookie: a=b', 'Cookie: a=b'), null, 'of two, none');
  assert.equal(lineOf('X-A: 1'), null);
  assert.equal(lineOf('Cookie: a=b', 'X-A: 1'), null, 'what was not in the request before is read anew');
});

test('FieldMemory refuses what follows a known Cookie line as it refuses it anywhere', () => {
  const memory = new FieldMemory();
  const read = (text: string): unknown => parseRequestHead(text, 0, text.length, LIMITS, memory);
  for (let i = 0; i < 3; i++) read(head(['Cookie: a=b', `X-A: ${i}`]));
  assert.throws(() => read(head(['Cookie: a=b', ' folded'])), { rule: 'obs-fold' });
  assert.throws(() => read(head(['Cookie: a=b', 'X A: b'])), { rule: 'field-name' });
  assert.throws(() => read(`${head(['Cookie: a=b'])}X-A`), HttpSyntaxError);
  assert.throws(() => read(`${head([])}Cookie: a=b\r`), HttpSyntaxError);
  assert.throws(() => read(head(Array.from({ length: 60 }, () => 'Cookie: a=b'))), { rule: 'field-count' });
});

test('HeaderBlock forgets the known Cookie line once its fields are changed', () => {
  const memory = new FieldMemory();
  const text = head(['Cookie: a=b']);
  const read = (path: string): Http1RequestHead => {
    const own = `${text}X-A: ${path}\r\n`;
    return parseRequestHead(own, 0, own.length, LIMITS, memory);
  };
  read('1');
  const one = read('2').headers;
  assert.ok(one.cookieLine !== null);
  one.append('Cookie', 'c=d', 'cookie');
  assert.equal(one.cookieLine, null);
  const other = read('3').headers;
  assert.ok(other.cookieLine !== null);
  other.remove('cookie');
  assert.equal(other.cookieLine, null);
});

function factsOf(found: Http1RequestHead): unknown {
  return [
    JSON.stringify(found, (key: string, value: unknown) =>
      key === 'isRemembered' || key === 'cookieLine' ? null : value,
    ),
    printFields(found.headers),
  ];
}

test('parseRequestHead() refuses odd request lines', () => {
  const lines: [string, string][] = [
    ['GET / HTTP/2.0', '505 version'],
    ['GET / HTTP/1.2', '505 version'],
    ['GET / HTTP/0.9', '505 version'],
    ['GET / http/1.1', '400 version'],
    ['GET / HTTP/1.1 ', '400 version'],
    ['GET / HTTP/11', '400 version'],
    ['GET / HTTP/1.10', '400 version'],
    ['GET /', '400 request-line'],
    ['GET', '400 method'],
    ['', '400 method'],
    ['GET  / HTTP/1.1', '400 target-form'],
    ['GET /  HTTP/1.1', '400 path-character'],
    ['GET\t/\tHTTP/1.1', '400 method'],
    [' GET / HTTP/1.1', '400 method'],
    ['G@T / HTTP/1.1', '400 method'],
    ['\x16\x03\x01 / HTTP/1.1', '400 method'],
    ['GET /\rX HTTP/1.1', '400 path-character'],
    ['GET / HTTP/1.1\r', '400 version'],
    ['GET / HTTP/1.1\nA: b', '400 bare-lf'],
    ['GET /\0 HTTP/1.1', '400 path-character'],
    [`GET /${'a'.repeat(200)} HTTP/1.1`, '414 target-length'],
    [`${'A'.repeat(33)} / HTTP/1.1`, '400 method'],
    ['CONNECT a.example:443 HTTP/1.1', '405 method-connect'],
    ['TRACE / HTTP/1.1', '405 method-trace'],
    ['get / HTTP/1.1', '400 method'],
    ['PoST / HTTP/1.1', '400 method'],
    ['GET * HTTP/1.1', '400 target-asterisk'],
    ['GET http://b.example/ HTTP/1.1', '400 target-authority'],
    ['GET http://a.example:81/ HTTP/1.1', '400 target-authority'],
    ['PRI * HTTP/2.0', '505 version'],
  ];
  for (const [line, wanted] of lines) assert.equal(verdict(head([], line)), wanted, JSON.stringify(line));
  for (const line of ['GET http://A.example:80/x HTTP/1.1', 'QUERY / HTTP/1.1', 'OPTIONS * HTTP/1.1']) {
    assert.equal(verdict(head([], line)), 'accepted', line);
  }
});

test('F1, F2, F3, F4: parseRequestHead() refuses ambiguous framing', () => {
  const framings: [string[], string][] = [
    [['Content-Length: 5', 'Transfer-Encoding: chunked'], '400 content-length-and-transfer-encoding'],
    [['Transfer-Encoding: chunked', 'Content-Length: 0'], '400 content-length-and-transfer-encoding'],
    [['Content-Length: 5', 'Content-Length: 5'], '400 content-length'],
    ...['5, 5', '', '+1', '-1', '0x1', '1_0', '1Z', '1 1', '1.0', '9007199254740993', '1e3', '\xb21'].map(
      (text): [string[], string] => [[`Content-Length: ${text}`], '400 content-length'],
    ),
    [['Transfer-Encoding: gzip, chunked'], '501 transfer-encoding'],
    [['Transfer-Encoding: chunked, chunked'], '400 transfer-encoding'],
    [['Transfer-Encoding: chunked, gzip'], '400 transfer-encoding'],
    [['Transfer-Encoding: \xa0chunked'], '400 transfer-encoding'],
    [['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'], '400 transfer-encoding'],
    [['Transfer-Encoding: gzip', 'Transfer-Encoding: chunked'], '400 transfer-encoding'],
    [['Transfer-Encoding: identity'], '400 transfer-encoding'],
    [['Transfer-Encoding: '], '400 transfer-encoding'],
    [['Transfer-Encoding: xchunked'], '400 transfer-encoding'],
    [['Transfer-Encoding: "chunked"'], '400 transfer-encoding'],
    [['Transfer-Encoding: chunked;a=b'], '400 transfer-encoding'],
    [['Transfer-Encoding : chunked'], '400 field-name'],
    [['Transfer-Encoding:\x0bchunked'], '400 field-value'],
  ];
  for (const [lines, wanted] of framings) assert.equal(verdict(head(lines)), wanted, lines.join('; '));
  assert.equal(verdict(head(['Transfer-Encoding: chunked'], 'POST / HTTP/1.0')), '400 transfer-encoding-http-1.0');
  assert.equal(parse(head(['Transfer-Encoding: Chunked'])).bodyLength, CHUNKED);
  assert.equal(parse(head(['Content-Length: 007'])).bodyLength, 7);
});

test('parseRequestHead() wants exactly one well-formed Host', () => {
  for (const host of ['', 'a@b', 'a/b', 'a,b', 'a b', '[::1', 'a:b']) {
    assert.match(verdict(`GET / HTTP/1.1\r\nHost: ${host}\r\n`), /^400 host/, host);
  }
  assert.equal(verdict('GET / HTTP/1.1\r\n'), '400 host-missing');
  assert.equal(verdict('GET http://a/ HTTP/1.1\r\n'), '400 host-missing');
  assert.equal(verdict(head(['Host: a.example'])), '400 host-duplicate');
  assert.equal(parse('GET / HTTP/1.0\r\n').host, '');
  assert.equal(parse('GET http://a/ HTTP/1.0\r\n').host, 'a');
});

test('parseRequestHead() decides how long the connection lives', () => {
  const keepAlive = (version: string, ...lines: string[]): boolean =>
    parse(head(lines, `GET / HTTP/${version}`)).keepAlive;
  assert.equal(keepAlive('1.1'), true);
  assert.equal(keepAlive('1.1', 'Connection: Close'), false);
  assert.equal(keepAlive('1.1', 'Connection: keep-alive', 'Connection: close'), false);
  assert.equal(keepAlive('1.1', 'Connection: , x-a,'), true);
  assert.equal(keepAlive('1.0'), false);
  assert.equal(keepAlive('1.0', 'Connection: Keep-Alive'), true);
  assert.equal(keepAlive('1.0', 'Connection: keep-alive, close'), false);
  assert.equal(verdict(head(['Connection: a b'])), '400 connection');
});

test('parseRequestHead() takes Upgrade only where Connection lists it, and h2c never (F16)', () => {
  const upgrade = (...lines: string[]): string | null => parse(head(lines, 'GET / HTTP/1.1')).upgrade;
  assert.equal(upgrade('Upgrade: WebSocket', 'Connection: keep-alive, Upgrade'), 'websocket');
  assert.equal(upgrade('Upgrade: websocket'), null);
  assert.equal(upgrade('Upgrade: h2c', 'Connection: upgrade, http2-settings'), null);
  assert.equal(upgrade('Upgrade: h2c, websocket', 'Connection: upgrade'), 'websocket');
  assert.equal(upgrade('Upgrade: foo/2', 'Upgrade: bar', 'Connection: upgrade'), 'foo/2');
  assert.equal(upgrade('Upgrade: websocket', 'Connection: upgrade', 'Content-Length: 3'), null);
  assert.equal(parse(head(['Upgrade: websocket', 'Connection: upgrade'], 'GET / HTTP/1.0')).upgrade, null);
  for (const value of ['a b', '/1', 'a/', 'a/b/c']) {
    assert.equal(verdict(head([`Upgrade: ${value}`, 'Connection: upgrade'])), '400 upgrade', value);
  }
});

test('parseRequestHead() knows one expectation', () => {
  assert.ok(parse(head(['Expect: 100-Continue', 'Content-Length: 1'])).expectsContinue);
  assert.ok(!parse(head(['Expect: 100-continue'])).expectsContinue);
  assert.ok(!parse(head(['Expect: 100-continue', 'Content-Length: 1'], 'POST / HTTP/1.0')).expectsContinue);
  assert.equal(verdict(head(['Expect: 200-maybe'])), '417 expect');
  assert.equal(verdict(head(['Expect: '])), '417 expect');
});

test('parseRequestHead() answers 431 beyond the count of fields', () => {
  assert.equal(verdict(head(Array.from({ length: 50 }, (_, i) => `X-${i}: a`))), '431 field-count');
  assert.equal(verdict(head(Array.from({ length: 49 }, (_, i) => `X-${i}: a`))), 'accepted');
});

const segment = fc.string({
  unit: fc.constantFrom('a', 'B', '0', '-', '_', '~', '!', '$', '@'),
  minLength: 1,
  maxLength: 8,
});
const token = fc.string({ unit: fc.constantFrom('a', 'B', '0', '-', '!', '^', '|'), minLength: 1, maxLength: 12 });
const value = fc.string({ unit: fc.constantFrom('a', 'B', '0', ':', '"', ',', 'é'), maxLength: 20 });

test('parseRequestHead() reads back what is printed', () => {
  const request = fc.record({
    method: token.map((text) => text.toUpperCase()),
    segments: fc.array(segment, { maxLength: 4 }),
    query: fc.option(segment),
    fields: fc.array(fc.tuple(token, value), { maxLength: 10 }),
  });
  fc.assert(
    fc.property(request, ({ method, segments, query, fields }) => {
      const headers = HeaderBlock.from({ Host: 'a.example:8080' });
      for (const [name, text] of fields) headers.append(`X-${name}`, text);
      const [path, search] = [`/${segments.join('/')}`, query === null ? '' : `?${query}`];
      const found = parse(`${method} ${path}${search} HTTP/1.1\r\n${printFields(headers)}`);
      assert.equal(found.method, method);
      assert.equal(found.path, path);
      assert.equal(found.query, search);
      assert.equal(found.port, 8080);
      assert.deepEqual(found.headers, headers);
    }),
    { seed: 7, numRuns: 500 },
  );
});

test('parseRequestHead() throws nothing but HttpSyntaxError', () => {
  const parts = fc.constantFrom(
    'GET',
    ' ',
    '/',
    'HTTP/1.1',
    '\r\n',
    '\r',
    '\n',
    'Host',
    ':',
    'a',
    'Content-Length',
    'chunked',
    'Transfer-Encoding',
    'Connection',
    'Upgrade',
    'Expect',
    ',',
    '\0',
    'é',
    '%2e',
    '//',
    'http://a',
    '[',
    '0',
    '18446744073709551616',
  );
  fc.assert(
    fc.property(fc.array(parts, { maxLength: 30 }), (pieces) => {
      verdict(pieces.join(''));
      verdict(head([pieces.join('')]));
    }),
    { seed: 8, numRuns: 4000 },
  );
});
