/**
 * Bodies that nobody takes (reference classes F10, F12, F16): whoever answers without an app, rules, fixed answers,
 * redirects, files, own pages and unknown hosts, the body is read over or the connection closed; a request that
 * stands in it is never one, and one behind it is answered in its turn or not at all.
 */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { startPostern } from '../../support/postern.ts';
import { sendRaw } from '../../support/raw.ts';
import { startRecordingApp } from '../../support/recording-app.ts';
import type { PosternProcess } from '../../support/postern.ts';
import type { RecordingApp } from '../../support/recording-app.ts';

const HIDDEN = 'GET /hidden HTTP/1.1\r\nHost: app.test\r\n\r\n';
const BEHIND = 'GET /behind HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n';
const chunked = (body: string): string => `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
const LARGE = HIDDEN.repeat(2_000);

const BODIES: readonly (readonly [name: string, fields: string, body: string])[] = [
  ['counted', `Content-Length: ${HIDDEN.length}\r\n`, HIDDEN],
  ['chunked', 'Transfer-Encoding: chunked\r\n', chunked(HIDDEN)],
  ['large', `Content-Length: ${LARGE.length}\r\n`, LARGE],
  ['large and chunked', 'Transfer-Encoding: chunked\r\n', chunked(LARGE)],
  ['expected', `Expect: 100-continue\r\nContent-Length: ${HIDDEN.length}\r\n`, HIDDEN],
];

/** Path, host, what answers. */
const ANSWERED: readonly (readonly [path: string, host: string, status: RegExp])[] = [
  ['/signed/x', 'app.test', /401/],
  ['/denied/x', 'app.test', /403/],
  ['/machine/x', 'app.test', /401/],
  ['/fixed/x', 'app.test', /200/],
  ['/moved/x', 'app.test', /302/],
  ['/small/x', 'app.test', /413/],
  ['/dead/x', 'app.test', /502/],
  ['/files/x', 'app.test', /405/],
  ['/%2f', 'app.test', /400/],
  ['/.postern/sign-in', 'app.test', /404|413/],
  ['/.postern/userinfo', 'app.test', /405|413/],
  ['/.postern/sign-in', 'auth.test', /403|413/],
  ['/', 'nobody.test', /404/],
];

suite('bodies that nobody takes', () => {
  let postern: PosternProcess;
  let app: RecordingApp;

  before(async () => {
    app = await startRecordingApp();
    postern = await startPostern({
      document: ({ http, health }) => `version: 1
listen: { http: { address: "127.0.0.1:${http}", tls: off }, https: off, health: "127.0.0.1:${health}" }
providers: { local: { type: local } }
session: { insecure_http: true }
sign_in: { url: "http://auth.test:${http}" }
services: { ci: { password: "$2a$05$WnISqYUMNkFN6z8o2QglZOaCDtbsdunXCFe/8yDlm85RmjNkM8cvC" } }
hosts:
  app.test:
    tls: off
    paths:
      /signed/*: { to: "http://127.0.0.1:${app.port}", allow: [signed-in] }
      /denied/*: { to: "http://127.0.0.1:${app.port}", allow: ["ip:192.0.2.1"] }
      /machine/*: { to: "http://127.0.0.1:${app.port}", allow: ["service:ci"] }
      /fixed/*: { respond: fixed, allow: [public] }
      /moved/*: { redirect: "https://other.test/", allow: [public] }
      /small/*: { to: "http://127.0.0.1:${app.port}", allow: [public], max_body: 10 }
      /dead/*: { to: "http://127.0.0.1:1", allow: [public] }
      /files/*: { to: "files:${import.meta.dirname}", allow: [public] }
      /*: { to: "http://127.0.0.1:${app.port}", allow: [public] }
`,
    });
  });
  after(async () => {
    await postern?.close();
    await app?.close();
  });

  for (const [path, host, status] of ANSWERED) {
    test(`F12 ${host}${path}: no request of a body is one`, async () => {
      for (const [name, fields, body] of BODIES) {
        app.reset();
        const head = `POST ${path} HTTP/1.1\r\nHost: ${host}\r\n${fields}\r\n`;
        const answer = await sendRaw(postern.http, head + body + BEHIND, { quietMs: 5_000 });
        const [first, ...rest] = answer.statuses.filter((one) => one !== 100);
        assert.match(String(first), status, name);
        assert.ok(answer.closed, name);
        assert.deepEqual(rest, rest.length === 0 ? [] : [200], name);
        assert.deepEqual(
          app.requests.map(({ line }) => line),
          rest.map(() => 'GET /behind HTTP/1.1'),
          name,
        );
        assert.deepEqual(app.broken, [], name);
      }
    });
  }
});
