/**
 * The whole gateway against raw bytes: for each class of smuggling, target and host confusion a request
 * with a legitimate one right behind it. A refused request closes the connection; the app has seen exactly
 * what the client legitimately sent. And what the app is told about the visitor is ours alone.
 */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { startPostern } from '../../support/postern.ts';
import type { PosternProcess } from '../../support/postern.ts';
import { until } from '../../support/programs.ts';
import { sendRaw } from '../../support/raw.ts';
import { startRecordingApp } from '../../support/recording-app.ts';
import type { RecordingApp } from '../../support/recording-app.ts';
import { BAD_CHUNKS, REFUSED } from './refused-bytes.ts';

const GOOD = 'GET /behind HTTP/1.1\r\nHost: app.test\r\n\r\n';

suite('raw bytes against the whole gateway', () => {
  let postern: PosternProcess;
  let app: RecordingApp;

  before(async () => {
    app = await startRecordingApp();
    postern = await startPostern({
      document: ({ http, health }) => `version: 1
listen: { http: { address: "127.0.0.1:${http}", tls: off }, https: off, health: "127.0.0.1:${health}" }
limits: { header_bytes: 16KiB, header_count: 50, target_bytes: 4KiB, head_timeout: 5s }
hosts:
  app.test: { tls: off, to: "http://127.0.0.1:${app.port}", allow: [public] }
  keep.test: { tls: off, to: "http://127.0.0.1:${app.port}", allow: [public], encoded_slash: keep }
  small.test: { tls: off, to: "http://127.0.0.1:${app.port}", allow: [public], max_body: 10 }
  named.test:
    tls: off
    to: "http://127.0.0.1:${app.port}"
    allow: [public]
    identity_headers: { user: X-Company-User }
    add_headers: { X-Tenant: acme }
    remove_headers: [X-Debug]
  methods.test:
    tls: off
    paths:
      /*:
        - { to: "http://127.0.0.1:${app.port}", allow: [public], methods: [GET, POST] }
        - { to: "http://127.0.0.1:${app.port}", allow: ["ip:192.0.2.1"] }
  guarded.test:
    tls: off
    paths:
      /admin/*: { to: "http://127.0.0.1:${app.port}", allow: ["ip:192.0.2.1"] }
      /*: { to: "http://127.0.0.1:${app.port}", allow: [public] }
`,
    });
  });
  after(async () => {
    await postern?.close();
    await app?.close();
  });

  for (const [name, bytes, status] of REFUSED) {
    test(`refuses ${name} and what is behind it`, async () => {
      app.reset();
      const answer = await sendRaw(postern.http, bytes + GOOD, { quietMs: 5_000 });
      assert.deepEqual(answer.statuses, [status], answer.text);
      assert.ok(answer.closed, 'the connection is closed');
      assert.deepEqual(app.requests, []);
      assert.deepEqual(app.broken, []);
    });
  }

  for (const [name, body] of BAD_CHUNKS) {
    test(`never completes a request with a bad chunk: ${name}`, async () => {
      app.reset();
      const head = 'POST / HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n';
      const answer = await sendRaw(postern.http, head + body + GOOD, { quietMs: 5_000 });
      assert.deepEqual(answer.statuses, [400], answer.text);
      assert.ok(answer.closed);
      assert.deepEqual(app.requests, []);
    });
  }

  test('answers pipelined requests in order, each seen once by the app', async () => {
    app.reset();
    const bytes = ['/1', '/2', '/3'].map((path) => `GET ${path} HTTP/1.1\r\nHost: app.test\r\n\r\n`).join('');
    const answer = await sendRaw(postern.http, bytes);
    assert.deepEqual(answer.statuses, [200, 200, 200]);
    assert.deepEqual(
      app.requests.map(({ line }) => line),
      ['GET /1 HTTP/1.1', 'GET /2 HTTP/1.1', 'GET /3 HTTP/1.1'],
    );
  });

  test('writes chunked bodies anew: no extension passes, trailers of framing and identity are gone', async () => {
    app.reset();
    const body =
      '4;ext=1\r\nabcd\r\n3\r\nefg\r\n0\r\nContent-Length: 99\r\nX-Forwarded-User: evil\r\nX-Fine: yes\r\n\r\n';
    const answer = await sendRaw(
      postern.http,
      `POST / HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n${body}`,
    );
    assert.deepEqual(answer.statuses, [200]);
    assert.equal(app.requests[0]?.body, 'abcdefg');
    assert.ok(['', 'X-Fine: yes\r\n'].includes(app.requests[0]?.trailers ?? ''), app.requests[0]?.trailers);
    assert.deepEqual(app.broken, []);
  });

  test('a refusal names the rule and an id, and the log has both', async () => {
    for (const [bytes, rule] of [
      ['GET / HTTP/1.1\r\nHost: app.test\r\nX-A: b\nX-B: c\r\n\r\n', 'bare-lf'],
      ['GET / HTTP/1.1\r\n\r\n', 'host-missing'],
      [
        'POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n',
        'content-length-and-transfer-encoding',
      ],
    ] as const) {
      const { text } = await sendRaw(postern.http, bytes, { quietMs: 5_000 });
      const told = /\r\n\r\n400 ([\w-]+)\nRequest (\w+)\n$/.exec(text);
      assert.equal(told?.[1], rule, text);
      const isLine = (line: string): boolean =>
        line.includes(`"requestId":"${told?.[2]}"`) && line.includes(`"rule":"${rule}"`);
      await until(() => postern.output().split('\n').some(isLine), 'the line is logged');
    }
  });

  test('a refusal names the rule and an id where the head was good, too', async () => {
    const chunked = 'POST / HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n';
    const socket = 'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n';
    for (const [bytes, status, rule] of [
      [`${chunked}+4\r\nabcd\r\n0\r\n\r\n`, 400, 'chunk-size'],
      [`${chunked}4\r\nabcd\n`, 400, 'bare-lf'],
      [`${chunked}4;a=${'b'.repeat(17_000)}\r\nabcd\r\n0\r\n\r\n`, 413, 'chunk-extension-size'],
      [`${chunked}0\r\nX-A: ${'b'.repeat(9_000)}\r\n\r\n`, 431, 'trailer-size'],
      [`POST / HTTP/1.1\r\nHost: app.test\r\nMax-Forwards: x\r\nContent-Length: 0\r\n\r\n`, 200, null],
      [`OPTIONS / HTTP/1.1\r\nHost: app.test\r\nMax-Forwards: x\r\n\r\n`, 400, 'max-forwards'],
      [`GET / HTTP/1.1\r\nHost: app.test\r\n${socket}\r\n`, 400, 'websocket-version'],
      [`GET / HTTP/1.1\r\nHost: app.test\r\n${socket}Sec-WebSocket-Version: 8\r\n\r\n`, 400, 'websocket-version'],
      [
        `GET / HTTP/1.1\r\nHost: app.test\r\n${socket}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Version: 8\r\n\r\n`,
        400,
        'websocket-version',
      ],
    ] as const) {
      const { text, statuses, closed } = await sendRaw(postern.http, bytes, { quietMs: 3_000 });
      assert.deepEqual(statuses, [status], text);
      if (rule === null) continue;
      assert.ok(closed, rule);
      const told = /\r\n\r\n\d{3} ([\w-]+)\nRequest (\w+)\n$/.exec(text);
      assert.equal(told?.[1], rule, text);
      if (bytes.includes('Version: 8')) assert.match(text, /\r\nSec-WebSocket-Version: 13\r\n/);
      await until(() => postern.output().includes(`"requestId":"${told?.[2]}"`), 'the line is logged');
    }
  });

  test('F9 trailers name nobody: not by a name of the document, nor what the header may not say, in any spelling', async () => {
    const names = [
      'X-Company-User',
      'x_company.user',
      'Remote-User',
      'X-Goog-Authenticated-User-Email',
      'X_Jwt_Assertion',
    ];
    const edited = ['X-Tenant', 'x_tenant', 'X-Debug', 'X-Nominated'];
    for (const [host, forbidden] of [
      ['app.test', [...names, 'X-Nominated']],
      ['named.test', [...names, ...edited]],
    ] as const) {
      app.reset();
      const lines = [...forbidden, 'X-Fine'].map((name) => `${name}: evil\r\n`).join('');
      const head = `POST / HTTP/1.1\r\nHost: ${host}\r\nConnection: x-nominated\r\nTransfer-Encoding: chunked\r\n\r\n`;
      assert.deepEqual((await sendRaw(postern.http, `${head}1\r\na\r\n0\r\n${lines}\r\n`)).statuses, [200]);
      assert.deepEqual([app.requests[0]?.body, app.requests[0]?.trailers], ['a', 'X-Fine: evil\r\n'], host);
    }
  });

  test('a FIN in the middle of a head or a body is a 400, never a 5xx, and the app never takes it for whole', async () => {
    const heads = 'POST / HTTP/1.1\r\nHost: app.test\r\n';
    const bodies = [
      'Content-Length: 5\r\n\r\nhello',
      'Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA: b\r\n\r\n',
    ];
    for (const body of bodies) {
      const bytes = heads + body;
      app.reset();
      for (let to = 3; to < bytes.length; to++) {
        const { statuses, closed } = await sendRaw(postern.http, bytes.slice(0, to), {
          pauseMs: 0,
          fin: true,
          quietMs: 5_000,
        });
        assert.deepEqual([statuses, closed], [[400], true], JSON.stringify(bytes.slice(0, to)));
      }
      assert.deepEqual([app.requests, app.broken], [[], []]);
    }
    const isTold = (line: string): boolean => line.includes('"code":"CLIENT_CLOSED"') && line.includes('"status":400');
    await until(() => postern.output().split('\n').some(isTold), 'the line is logged');
    const alarms = postern
      .output()
      .split('\n')
      .filter((line) => /"level":"(?:warn|error)"/.test(line));
    assert.deepEqual(
      alarms.filter((line) => line.includes('CLIENT_CLOSED')),
      [],
      'nobody is woken for it',
    );
  });

  test('forwards a request byte by byte as one', async () => {
    app.reset();
    const bytes = 'POST /slow HTTP/1.1\r\nHost: app.test\r\nContent-Length: 3\r\n\r\nabc';
    const answer = await sendRaw(postern.http, bytes.split(''), { pauseMs: 2 });
    assert.deepEqual(answer.statuses, [200]);
    assert.equal(app.requests[0]?.body, 'abc');
  });

  test('invites with 100 before the body, and refuses a body that is too large without it', async () => {
    app.reset();
    const head = 'POST / HTTP/1.1\r\nHost: app.test\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n';
    const answer = await sendRaw(postern.http, [head, 'abc'], { first: '100 Continue' });
    assert.deepEqual(answer.statuses, [100, 200]);
    const large = await sendRaw(postern.http, head.replace('app.test', 'small.test').replace(': 3', ': 30'));
    assert.deepEqual(large.statuses, [413]);
    assert.equal(app.requests.length, 1);
  });

  test('bounds body, head and target', async () => {
    app.reset();
    const chunked =
      'POST / HTTP/1.1\r\nHost: small.test\r\nTransfer-Encoding: chunked\r\n\r\n14\r\n12345678901234567890\r\n0\r\n\r\n';
    assert.deepEqual((await sendRaw(postern.http, chunked)).statuses, [413]);
    const many = Array.from({ length: 60 }, (_, i) => `X-${i}: a\r\n`).join('');
    assert.deepEqual((await sendRaw(postern.http, `GET / HTTP/1.1\r\nHost: app.test\r\n${many}\r\n`)).statuses, [431]);
    const long = `GET / HTTP/1.1\r\nHost: app.test\r\nX-A: ${'a'.repeat(20_000)}\r\n\r\n`;
    const full = await sendRaw(postern.http, long);
    assert.deepEqual(full.statuses, [431]);
    // A browser with many cookies comes here by itself, and nobody has read which language it speaks.
    const [head = '', body = ''] = full.text.split('\r\n\r\n');
    assert.match(head, /^content-length: (\d+)$/im);
    assert.equal(Number(/^content-length: (\d+)$/im.exec(head)?.[1]), body.length);
    const told = Buffer.from(body, 'latin1').toString('utf8');
    assert.match(told, /^431 header-bytes\n.*Clearing its cookies.*\n.*쿠키를 삭제.*\n.*Cookie.*\nRequest \S+\n$/);
    assert.deepEqual(
      (await sendRaw(postern.http, `GET /${'a'.repeat(5_000)} HTTP/1.1\r\nHost: app.test\r\n\r\n`)).statuses,
      [414],
    );
    assert.deepEqual(app.requests, []);
  });

  test('says in words that a path cannot be read: links have a "%" that stands for nothing, and browsers send it', async () => {
    for (const [path, rule] of [
      ['/100%', 'path-escape'],
      ['/a%zz', 'path-escape'],
      ['/%00', 'path-nul'],
      ['/a/..%2fb', 'path-dots'],
    ]) {
      const answer = await sendRaw(postern.http, `GET ${path} HTTP/1.1\r\nHost: app.test\r\n\r\n`);
      assert.deepEqual(answer.statuses, [400], path);
      const told = Buffer.from(answer.text.split('\r\n\r\n')[1] ?? '', 'latin1').toString('utf8');
      assert.match(told, new RegExp(`^400 ${rule}\n.*The address.*\n.*주소.*\n.*地址.*\nRequest \\S+\n$`));
    }
    const broken = await sendRaw(postern.http, 'GET / HTTP/1.1\r\nHost: app.test\r\nX-A : b\r\n\r\n');
    assert.match(broken.text, /\r\n\r\n400 \S+\nRequest \S+\n$/, 'no browser sends that');
  });

  test('ends a head that never does', async () => {
    const answer = await sendRaw(postern.http, 'GET / HTTP/1.1\r\nHost: app.test\r\nX-A: ', { quietMs: 6_000 });
    assert.ok(answer.closed);
    assert.deepEqual(answer.statuses, [408]);
  });

  test('tells the app about the visitor itself, in no spelling what the client says', async () => {
    app.reset();
    const names = ['X-Forwarded-User', 'x_forwarded_user', 'X.Forwarded.User', 'X-FORWARDED-USER', 'X_Forwarded-User'];
    const more = [
      'Remote-User',
      'X-Real-IP',
      'X_Real_IP',
      'X-Forwarded-For',
      'Forwarded',
      'X-Original-URL',
      'X-Forwarded-Proto',
    ];
    const fields = [...names, ...more, 'X-Auth-Request-Email', 'Postern-Assertion', 'Postern.Assertion', 'Proxy']
      .map((name) => `${name}: evil\r\n`)
      .join('');
    const tricks = 'Connection: x-forwarded-for, x-real-ip, host, x-forwarded-proto\r\n';
    const answer = await sendRaw(
      postern.http,
      `GET / HTTP/1.1\r\nHost: app.test\r\n${fields}${tricks}X-Mine: fine\r\n\r\n`,
    );
    assert.deepEqual(answer.statuses, [200]);
    const seen = app.requests[0]?.fields ?? [];
    assert.deepEqual(
      seen.filter(([, value]) => value.includes('evil')),
      [],
    );
    const value = (name: string): string[] =>
      seen.filter(([key]) => key.toLowerCase().replaceAll(/[^a-z0-9]/g, '-') === name).map(([, one]) => one);
    assert.deepEqual(value('x-forwarded-for'), ['127.0.0.1']);
    assert.deepEqual(value('x-real-ip'), ['127.0.0.1']);
    assert.deepEqual(value('x-forwarded-proto'), ['http']);
    assert.deepEqual(value('host'), ['app.test']);
    assert.deepEqual(value('x-mine'), ['fine']);
    assert.deepEqual(value('x-forwarded-user'), []);
  });

  test('never lets a spelling of the path or the host around a rule', async () => {
    app.reset();
    const paths = [
      '/admin',
      '/admin/',
      '/admin/x',
      '//admin/x',
      '/./admin/x',
      '/a/../admin/x',
      '/%61dmin/x',
      '/ADMIN/x',
      '/admin;x/y',
      '/admin%2fx',
      '/%2561dmin',
    ];
    for (const path of paths) {
      for (const host of ['guarded.test', 'GUARDED.test', 'guarded.test.', 'guarded.test:80']) {
        const { statuses } = await sendRaw(
          postern.http,
          `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`,
        );
        assert.ok(
          [400, 403, 404].includes(statuses[0] ?? 0) || path === '/%2561dmin',
          `${host} ${path}: ${statuses.join()}`,
        );
      }
    }
    assert.deepEqual(
      app.requests.filter(({ line }) => /admin/i.test(decodeURIComponent(line.replaceAll('%25', '')))),
      [],
    );
    const open = await sendRaw(postern.http, 'GET /open HTTP/1.1\r\nHost: guarded.test\r\n\r\n');
    assert.deepEqual(open.statuses, [200]);
  });

  test('1.7 a field that overrides the method reaches no app where rules tell methods apart', async () => {
    const names = ['X-HTTP-Method-Override', 'x_http_method_override', 'X-HTTP-Method', 'X-Method-Override'];
    const overrides = names.map((name) => `${name}: DELETE\r\n`).join('');
    const ask = async (host: string): Promise<string[]> => {
      app.reset();
      await sendRaw(postern.http, `POST / HTTP/1.1\r\nHost: ${host}\r\n${overrides}Content-Length: 0\r\n\r\n`);
      return app.requests.flatMap(({ fields }) => fields.map(([name]) => name).filter((name) => /method/i.test(name)));
    };
    assert.deepEqual(await ask('methods.test'), []);
    assert.deepEqual(await ask('app.test'), names, 'elsewhere they are the app’s');
    const refused = await sendRaw(postern.http, `DELETE / HTTP/1.1\r\nHost: methods.test\r\n\r\n`);
    assert.deepEqual(refused.statuses, [403]);
  });

  test('keeps encoded slashes byte for byte where the route says so, and refuses climbing beside them', async () => {
    app.reset();
    assert.deepEqual(
      (await sendRaw(postern.http, 'GET /a%2fb/%2Fc?d=%2f HTTP/1.1\r\nHost: keep.test\r\n\r\n')).statuses,
      [200],
    );
    assert.match(app.requests[0]?.line ?? '', /^GET \/a%2[fF]b\/%2Fc\?d=%2f HTTP\/1\.1$/);
    assert.deepEqual(
      (await sendRaw(postern.http, 'GET /a/..%2f..%2fetc HTTP/1.1\r\nHost: keep.test\r\n\r\n')).statuses,
      [400],
    );
    const refused = await sendRaw(
      postern.http,
      'GET /a%2fb HTTP/1.1\r\nHost: app.test\r\nAccept: application/json\r\n\r\n',
    );
    assert.match(refused.text, /encoded_slash/i);
  });

  test('does not talk h2c by upgrade', async () => {
    app.reset();
    const upgrade =
      'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n';
    const answer = await sendRaw(postern.http, `GET / HTTP/1.1\r\nHost: app.test\r\n${upgrade}\r\n`);
    assert.deepEqual(answer.statuses, [200]);
    assert.deepEqual(
      app.requests[0]?.fields.filter(([name]) => /upgrade|http2-settings/i.test(name)),
      [],
    );
  });

  test('F12 GET, HEAD and DELETE with a body keep it, framed anew, and the next request its place', async () => {
    for (const method of ['GET', 'DELETE', 'OPTIONS']) {
      for (const [fields, body] of [
        ['Content-Length: 4\r\n', 'abcd'],
        ['Transfer-Encoding: chunked\r\n', '4\r\nabcd\r\n0\r\n\r\n'],
      ] as const) {
        app.reset();
        const { statuses } = await sendRaw(
          postern.http,
          `${method} /g HTTP/1.1\r\nHost: app.test\r\n${fields}\r\n${body}${GOOD}`,
        );
        assert.deepEqual(statuses, [200, 200]);
        assert.deepEqual(
          app.requests.map(({ line, body: seen }) => [line, seen]),
          [
            [`${method} /g HTTP/1.1`, 'abcd'],
            ['GET /behind HTTP/1.1', ''],
          ],
        );
      }
    }
  });

  test('OPTIONS * is answered by the gateway, and Max-Forwards counts down to it (RFC 9110 section 7.6.2)', async () => {
    app.reset();
    const host = 'Host: app.test\r\n';
    const star = await sendRaw(postern.http, `OPTIONS * HTTP/1.1\r\n${host}\r\n${GOOD}`);
    assert.deepEqual(star.statuses, [200, 200]);
    assert.match(star.text, /^Allow: GET, HEAD, POST/m);
    const ask = (value: string, method = 'OPTIONS'): string =>
      `${method} /g HTTP/1.1\r\n${host}Max-Forwards: ${value}\r\n\r\n`;
    const last = await sendRaw(postern.http, ask('0') + GOOD);
    assert.deepEqual(last.statuses, [200, 200]);
    assert.match(last.text, /^Allow: GET, HEAD, POST/m);
    assert.deepEqual(
      app.requests.map(({ line }) => line),
      ['GET /behind HTTP/1.1', 'GET /behind HTTP/1.1'],
      'neither reached the app',
    );
    app.reset();
    // The same fields again and again, by a method that counts them and one that does not.
    const all = await sendRaw(postern.http, ask('7') + ask('7', 'GET') + ask('7') + ask('1') + GOOD);
    assert.deepEqual(all.statuses, [200, 200, 200, 200, 200]);
    const hops = app.requests.map(({ fields }) => fields.find(([name]) => name === 'Max-Forwards')?.[1]);
    assert.deepEqual(hops, ['6', '7', '6', '0', undefined]);
    for (const odd of ['x', '-1', '1, 2', '', '9999999999', '1\r\nMax-Forwards: 2']) {
      app.reset();
      assert.deepEqual((await sendRaw(postern.http, ask(odd))).statuses, [400], odd);
      assert.equal(app.requests.length, 0);
    }
  });

  test('1.3 Connection may name framing and our fields: neither is lost', async () => {
    app.reset();
    const fields = 'Connection: content-length, host, authorization, x-mine, te\r\nContent-Length: 4\r\nX-Mine: 1\r\n';
    const { statuses } = await sendRaw(postern.http, `POST / HTTP/1.1\r\nHost: app.test\r\n${fields}\r\nabcd${GOOD}`);
    assert.deepEqual(statuses, [200, 200]);
    assert.deepEqual([app.requests[0]?.body, app.requests[1]?.line], ['abcd', 'GET /behind HTTP/1.1']);
    assert.equal(
      app.requests[0]?.fields.some(([name]) => name === 'X-Mine'),
      false,
    );
    assert.deepEqual(app.broken, []);
  });

  test('F16 an Upgrade with a body is a request, and behind a refused one HTTP goes on', async () => {
    const upgrade =
      'GET /ws HTTP/1.1\r\nHost: app.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n';
    for (const [bytes, body] of [
      [`${upgrade}Content-Length: 4\r\n\r\nabcd`, 'abcd'],
      [`${upgrade}\r\n`, ''],
    ] as const) {
      app.reset();
      const { statuses } = await sendRaw(postern.http, bytes + GOOD);
      assert.deepEqual(statuses, [200, 200]);
      assert.deepEqual(
        app.requests.map((one) => one.body),
        [body, ''],
      );
      assert.equal(app.requests[1]?.line, 'GET /behind HTTP/1.1');
    }
  });

  test('HTTP/1.0: kept alive where it asks, never a 1xx, a missing Host names nobody', async () => {
    app.reset();
    const two =
      'GET /1 HTTP/1.0\r\nHost: app.test\r\nConnection: keep-alive\r\n\r\nGET /2 HTTP/1.0\r\nHost: app.test\r\n\r\n';
    const kept = await sendRaw(postern.http, two);
    assert.deepEqual([kept.statuses, kept.closed], [[200, 200], true]);
    const expects = 'POST / HTTP/1.0\r\nHost: app.test\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n';
    assert.deepEqual((await sendRaw(postern.http, [expects, 'abcd'], { pauseMs: 100 })).statuses, [200]);
    assert.deepEqual((await sendRaw(postern.http, 'GET / HTTP/1.0\r\n\r\n')).statuses, [404]);
  });

  test('answers unknown hosts without an app', async () => {
    app.reset();
    assert.deepEqual((await sendRaw(postern.http, 'GET / HTTP/1.1\r\nHost: other.test\r\n\r\n')).statuses, [404]);
    assert.deepEqual(app.requests, []);
  });
});
