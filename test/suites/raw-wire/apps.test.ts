/**
 * What an app says back, byte by byte, through the whole gateway (reference classes F10, F11, 1.4, 1.5):
 * what two readers could understand differently is a 502 with a request id, what breaks off is seen to be
 * broken, and nothing of an app's connection or of somebody else's answer reaches the visitor.
 */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { TLS_CERTIFICATE, TLS_KEY } from '../../../src/wire/_tls-fixture.ts';
import { startPostern } from '../../support/postern.ts';
import { until } from '../../support/programs.ts';
import { sendRaw } from '../../support/raw.ts';
import { say, startScriptedApp } from '../../support/scripted-app.ts';
import type { PosternProcess } from '../../support/postern.ts';
import type { RawAnswer } from '../../support/raw.ts';
import type { Script, ScriptedApp } from '../../support/scripted-app.ts';

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

/** class, what the app says. Each is a 502, and the connection to the app is not used again. */
const BROKEN: readonly (readonly [name: string, bytes: string])[] = [
  ['F11 Content-Length and Transfer-Encoding', 'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
  ['F11 two lengths', 'Content-Length: 2\r\nContent-Length: 2\r\n\r\nok'],
  ['F11 list of lengths', 'Content-Length: 2, 2\r\n\r\nok'],
  ['F11 negative length', 'Content-Length: -2\r\n\r\nok'],
  ['F11 length with a sign', 'Content-Length: +2\r\n\r\nok'],
  ['F11 hexadecimal length', 'Content-Length: 0x2\r\n\r\nok'],
  ['F11 gzip, chunked', 'Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n'],
  ['F11 chunked twice', 'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
  ['F11 identity', 'Transfer-Encoding: identity\r\n\r\nok'],
  ['F11 response splitting by LF', 'X-A: b\nSet-Cookie: evil=1\r\nContent-Length: 2\r\n\r\nok'],
  ['F11 response splitting by CR', 'X-A: b\rSet-Cookie: evil=1\r\nContent-Length: 2\r\n\r\nok'],
  ['F11 NUL in a value', 'X-A: b\0c\r\nContent-Length: 2\r\n\r\nok'],
  ['F11 obs-fold', 'X-A: b\r\n c\r\nContent-Length: 2\r\n\r\nok'],
  ['F11 space before the colon', 'Content-Length : 2\r\n\r\nok'],
  ['F11 empty name', ': b\r\nContent-Length: 2\r\n\r\nok'],
  ['F11 no colon', 'rubbish\r\nContent-Length: 2\r\n\r\nok'],
  ['head larger than 64 KiB', `X-A: ${'a'.repeat(70_000)}\r\nContent-Length: 2\r\n\r\nok`],
  ['more than 500 fields', `${'X-A: b\r\n'.repeat(600)}Content-Length: 2\r\n\r\nok`],
  ['F7 broken chunk size', 'Transfer-Encoding: chunked\r\n\r\n0x2\r\nok\r\n0\r\n\r\n'],
  ['F7 chunk line ends in LF', 'Transfer-Encoding: chunked\r\n\r\n2\nok\r\n0\r\n\r\n'],
  ['F7 chunk longer than said', 'Transfer-Encoding: chunked\r\n\r\n2\r\nokay\r\n0\r\n\r\n'],
].map(([name = '', rest = '']) => [name, `HTTP/1.1 200 OK\r\n${rest}`] as const);

const BROKEN_LINES: readonly (readonly [name: string, bytes: string])[] = [
  ['F11 Transfer-Encoding on HTTP/1.0', 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
  ['F11 HTTP/2 in the status line', 'HTTP/2 200 OK\r\nContent-Length: 2\r\n\r\nok'],
  ['F11 HTTP/0.9', 'hello'],
  ['F11 status of two digits', 'HTTP/1.1 99 OK\r\nContent-Length: 2\r\n\r\nok'],
  ['F11 status of four digits', 'HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\nok'],
  ['F11 status 600', 'HTTP/1.1 600 OK\r\nContent-Length: 2\r\n\r\nok'],
  ['F11 status below 100', 'HTTP/1.1 042 OK\r\nContent-Length: 2\r\n\r\nok'],
  ['F11 control in the reason', 'HTTP/1.1 200 O\x01K\r\nContent-Length: 2\r\n\r\nok'],
  ['F11 empty line first', '\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'],
  ['F11 101 unasked for', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n'],
  ['F11 bare LF everywhere', 'HTTP/1.1 200 OK\nContent-Length: 2\n\nok'],
];

suite('bytes of an app through the whole gateway', () => {
  let postern: PosternProcess;
  let app: ScriptedApp;
  let secureApp: ScriptedApp;
  let count = 0;

  before(async () => {
    app = await startScriptedApp();
    secureApp = await startScriptedApp({ key: TLS_KEY, cert: TLS_CERTIFICATE });
    postern = await startPostern({
      document: ({ http, health }) => `version: 1
listen: { http: { address: "127.0.0.1:${http}", tls: off }, https: off, health: "127.0.0.1:${health}" }
hosts:
  app.test: { tls: off, to: "http://127.0.0.1:${app.port}", allow: [public], first_byte_timeout: 20s }
  secure.test: { tls: off, to: "https://127.0.0.1:${secureApp.port}", upstream_tls: { verify: false }, allow: [public] }
`,
    });
  });
  after(async () => {
    await postern?.close();
    await app?.close();
    await secureApp?.close();
  });

  /** One request to an app that does this. */
  async function ask(script: Script, parts: Partial<{ method: string; fields: string; body: string; quiet: number }>) {
    const { method = 'GET', fields = '', body = '', quiet = 700 } = parts;
    const segment = `s${count++}`;
    app.on(segment, script);
    const head = `${method} /${segment} HTTP/1.1\r\nHost: app.test\r\nAccept: application/json\r\n${fields}\r\n`;
    return sendRaw(postern.http, head + body, { quietMs: quiet });
  }

  const bodyOf = ({ text }: RawAnswer): string => text.slice(text.lastIndexOf('\r\n\r\n') + 4);

  for (const [name, bytes] of [...BROKEN, ...BROKEN_LINES]) {
    test(`${name}: 502, and that connection is over`, async () => {
      const answer = await ask(say(bytes), {});
      assert.deepEqual(answer.statuses, [502], answer.text);
      assert.match(bodyOf(answer), /"request_id":"\w+"/);
      assert.doesNotMatch(answer.text, /evil|X-A|127\.0\.0\.1/);
      await until(() => app.closed.includes(`/s${count - 1}`), 'the connection to the app is closed');
    });
  }

  test('F10 F11 what follows an answer is nobody’s answer', async () => {
    const stray = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstray';
    for (const bytes of [
      OK + stray,
      `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n${stray}`,
      `HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n${stray}`,
      `HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n${stray}`,
      `HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nstray\r\n0\r\n\r\n`,
    ]) {
      const answer = await ask(say(bytes), {});
      assert.equal(answer.statuses.length, 1, answer.text);
      assert.doesNotMatch(answer.text, /stray/);
      await until(() => app.closed.includes(`/s${count - 1}`), 'the connection to the app is closed');
    }
  });

  test('1.4 an answer to HEAD, 204, 205 and 304 has no body toward the visitor', async () => {
    const head = await ask(say('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello'), { method: 'HEAD' });
    assert.match(head.text, /Content-Length: 5\r\n/);
    assert.equal(bodyOf(head), '');
    for (const status of ['204 No Content', '205 Reset Content', '304 Not Modified']) {
      const answer = await ask(say(`HTTP/1.1 ${status}\r\nContent-Length: 5\r\nETag: "a"\r\n\r\nhello`), {});
      assert.equal(bodyOf(answer), '', status);
      assert.match(answer.text, /ETag: "a"/);
      assert.doesNotMatch(answer.text, /Content-Length: [1-9]|Transfer-Encoding/, status);
    }
  });

  test('1.4 a body that breaks off is seen to be broken, however it was framed', async () => {
    const head = 'HTTP/1.1 200 OK\r\n';
    const cases: [name: string, script: Script][] = [
      ['closed before its length', ({ socket }) => void socket.end(`${head}Content-Length: 100\r\n\r\nhello`)],
      ['closed inside a chunk', ({ socket }) => void socket.end(`${head}Transfer-Encoding: chunked\r\n\r\n9\r\nhello`)],
      [
        'closed between chunks',
        ({ socket }) => void socket.end(`${head}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n`),
      ],
      [
        'closed before the last empty line',
        ({ socket }) => void socket.end(`${head}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n`),
      ],
      [
        'reset where the end of the connection ends the body',
        ({ socket }) => {
          socket.write(`${head}\r\nhello`);
          setTimeout(() => socket.resetAndDestroy(), 100);
        },
      ],
      [
        'a broken chunk later on',
        ({ socket }) => {
          socket.write(`${head}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n`);
          setTimeout(() => socket.write('zz\r\n'), 100);
        },
      ],
    ];
    for (const [name, script] of cases) {
      const answer = await ask(script, { quiet: 3_000 });
      assert.deepEqual(answer.statuses, [200], name);
      assert.ok(answer.closed, name);
      assert.doesNotMatch(answer.text, /\r\n0\r\n\r\n$/, name);
    }
  });

  test('1.4 to HTTP/1.0 a body that breaks off is a reset, not an end', async () => {
    const segment = 'old';
    app.on(segment, ({ socket }) => {
      socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n');
      setTimeout(() => socket.destroy(), 100);
    });
    const answer = await sendRaw(postern.http, `GET /${segment} HTTP/1.0\r\nHost: app.test\r\n\r\n`, {
      quietMs: 3_000,
    });
    assert.deepEqual([answer.statuses, answer.error], [[200], 'ECONNRESET']);
  });

  test('1.4 interim answers pass, but not without end, not with our cookies, and never to HTTP/1.0', async () => {
    const hint = 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n';
    assert.deepEqual((await ask(say(hint + hint + OK), {})).statuses, [103, 103, 200]);
    const flood = await ask(say(hint.repeat(2_000)), {});
    assert.equal(flood.statuses.at(-1), 502);
    assert.ok(flood.statuses.length < 50, 'the flood was cut off');
    const planted = await ask(({ socket, bytes }) => {
      const own = /Via: 1\.1 (postern-\w+)/.exec(bytes)?.[1] ?? 'unknown';
      socket.write(`HTTP/1.1 103 Early Hints\r\nSet-Cookie: __Host-${own}=evil\r\nLink: </b>\r\n\r\n${OK}`);
    }, {});
    assert.deepEqual(planted.statuses, [103, 200]);
    assert.match(planted.text, /Link: <\/b>/);
    assert.doesNotMatch(planted.text, /evil/);
    app.on('hinted', say(hint + OK));
    const old = await sendRaw(postern.http, 'GET /hinted HTTP/1.0\r\nHost: app.test\r\n\r\n');
    assert.deepEqual(old.statuses, [200]);
  });

  test('1.4 an early refusal is read by a visitor who goes on sending, and the app is let go', async () => {
    const answer = await ask(say('HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno'), {
      method: 'POST',
      fields: 'Content-Length: 400000\r\n',
      body: 'x'.repeat(300_000),
    });
    assert.deepEqual(answer.statuses, [401]);
    assert.match(answer.text, /Connection: close/);
    assert.ok(answer.closed);
    await until(() => app.closed.includes(`/s${count - 1}`), 'the connection to the app is closed');
  });

  test('1.4 an early refusal is read though the app closes with most of the upload unread (RFC 9112 section 9.6)', async () => {
    const refuse: Script = ({ socket }) => {
      socket.pause();
      // By then more of the body waits to be read: closing now is a reset right behind the answer.
      setTimeout(() => {
        socket.write('HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno');
        socket.destroy();
      }, 20);
    };
    app.on('refused', refuse);
    secureApp.on('refused', refuse);
    for (const host of ['app.test', 'secure.test']) {
      const head = `POST /refused HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 4000000\r\n\r\n`;
      for (let round = 0; round < 10; round++) {
        const answer = await sendRaw(postern.http, head + 'x'.repeat(3_000_000), { quietMs: 700 });
        assert.deepEqual([answer.statuses, bodyOf(answer)], [[413], 'no'], host);
      }
    }
  });

  test('1.5 an upgrade that the app answers with anything but the right 101 is no tunnel', async () => {
    const fields =
      'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n';
    const other = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n';
    const none = 'HTTP/1.1 101 Switching Protocols\r\n\r\n';
    assert.deepEqual((await ask(say(other), { fields })).statuses, [502]);
    assert.deepEqual((await ask(say(none), { fields })).statuses, [502]);
    const plain = await ask(say('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno'), { fields });
    assert.deepEqual(plain.statuses, [403]);
    const right = await ask(
      say('HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: upgrade\r\n\r\nearly'),
      { fields },
    );
    assert.deepEqual(right.statuses, [101]);
    assert.equal(bodyOf(right), 'early', 'bytes right behind the handshake pass');
  });

  test('1.6 a connection that an app signs in (NTLM, Negotiate) serves the visitor it was signed in for, and no other', async () => {
    const users = new WeakMap<object, string>();
    app.on('windows', ({ socket, bytes }) => {
      const said = /^Authorization: (.*)\r$/m.exec(bytes)?.[1] ?? '';
      const user = users.get(socket);
      const begun = user === '';
      let answer =
        'HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Negotiate\r\nWWW-Authenticate: NTLM\r\nContent-Length: 2\r\n\r\nno';
      if (said === 'NTLM one') {
        users.set(socket, '');
        answer = 'HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: NTLM two\r\nContent-Length: 2\r\n\r\nno';
      } else if ((said === 'NTLM three' && begun) || said === 'Negotiate ticket') users.set(socket, 'alice');
      const name = users.get(socket) ?? '';
      if (name !== '') answer = `HTTP/1.1 200 OK\r\nContent-Length: ${name.length}\r\n\r\n${name}`;
      socket.write(answer);
    });
    const get = (authorization: string): string =>
      `GET /windows HTTP/1.1\r\nHost: app.test\r\n${authorization === '' ? '' : `Authorization: ${authorization}\r\n`}\r\n`;
    // The last one says so, lest a moment of silence in between is taken for the end.
    const LAST = 'GET /windows HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n';
    const goThrough = async (said: readonly string[], pauseMs: number): Promise<readonly number[]> =>
      (await sendRaw(postern.http, [...said.map(get), LAST], { pauseMs, quietMs: 20_000 })).statuses;
    for (let round = 0; round < 3; round++) {
      const alice = await goThrough(['', 'NTLM one', 'NTLM three', ''], 60);
      assert.deepEqual(alice, [401, 401, 200, 200, 200], 'all of hers go by the connection that is hers');
      const bob = await goThrough(['', '', '', ''], 20);
      assert.deepEqual(bob, [401, 401, 401, 401, 401], 'nobody else goes by it');
      assert.deepEqual(await goThrough(['Negotiate ticket'], 60), [200, 200]);
      assert.deepEqual((await sendRaw(postern.http, get(''))).statuses, [401]);
    }
  });

  test('1.3 fields of the app’s connection stay with it', async () => {
    const fields =
      'Connection: close, X-Private\r\nX-Private: 1\r\nKeep-Alive: timeout=5\r\nProxy-Authenticate: Basic\r\nAlt-Svc: h3=":1"\r\nUpgrade: h2c\r\nTrailer: X-T\r\n';
    const answer = await ask(say(`HTTP/1.1 200 OK\r\n${fields}Content-Length: 2\r\n\r\nok`), {});
    assert.deepEqual(answer.statuses, [200]);
    assert.doesNotMatch(answer.text, /X-Private|Keep-Alive|Proxy-Authenticate|Alt-Svc|Upgrade|Trailer|close/);
    assert.equal(answer.closed, false, "the app's close is not the visitor's");
  });

  test('F9 trailers of an app: those that frame or set cookies are dropped, the others pass to who takes them', async () => {
    const script = say(
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 7\r\nSet-Cookie: a=b\r\nContent-Length: 9\r\n\r\n',
    );
    const asked = await ask(script, { fields: 'TE: trailers\r\nConnection: TE\r\n' });
    assert.match(asked.text, /\r\n0\r\nX-Sum: 7\r\n\r\n$/);
    assert.match((await ask(script, {})).text, /\r\n0\r\n\r\n$/);
  });
});
