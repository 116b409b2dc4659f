/**
 * Class E of the advisories: which rules judge a request does not depend on how its host is spelt. Beside a guarded host
 * stands a `default:` for everybody that leads to the same app, as in front of an old server: a spelling that
 * one reader takes for the guarded host and another for none would be let in there.
 */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { startPostern } from '../../support/postern.ts';
import type { PosternProcess } from '../../support/postern.ts';
import { sendRaw } from '../../support/raw.ts';
import { startRecordingApp } from '../../support/recording-app.ts';
import type { RecordingApp } from '../../support/recording-app.ts';

/** The guarded host, as clients may write it. */
const SAME = [
  'guarded.test',
  'GUARDED.test',
  'gUaRdEd.TEST',
  'guarded.test.',
  'guarded.test:80',
  'guarded.test:8443',
  'GUARDED.TEST.:443',
  '[2001:db8::1]',
  '[2001:DB8::1]',
  '[2001:0db8:0:0::0001]:80',
];
/** What somebody could take for it, and nobody should send. */
const NO_HOST = [
  'guarded.test..',
  '.guarded.test',
  'guarded.test:',
  'guarded.test:80:80',
  'guarded.test:0',
  'guarded.test:65536',
  'guarded.test:+80',
  'visitor@guarded.test',
  'open.test, guarded.test',
  'open.test guarded.test',
  'guarded%2etest',
  'guarded.test%00',
  'guarded.test/',
  'guarded.test#',
  'guarded.test?',
  'guarded\\.test',
  // U+FF47, U+3002 and U+017F (IDNA maps them to "g", "." and "s"), in UTF-8.
  '\u00ef\u00bd\u0087uarded.test',
  'guarded\u00e3\u0080\u0082test',
  'guarded.te\u00c5\u00bft',
  '[2001:db8::1%25eth0]',
  '[2001:db8::1',
  '2001:db8::1',
];
/** What proxies say of the host; nobody here is one. */
const SAID = ['X-Forwarded-Host', 'X-Original-Host', 'X-Host', 'X-HTTP-Host-Override', 'X-Forwarded-Server'];

suite('how a host is spelt', () => {
  let app: RecordingApp;
  let postern: PosternProcess;

  before(async () => {
    app = await startRecordingApp();
    const to = `to: "http://127.0.0.1:${app.port}"`;
    postern = await startPostern({
      document: ({ http, health }) => `version: 1
listen: { http: { address: "127.0.0.1:${http}", tls: off }, https: off, health: "127.0.0.1:${health}" }
hosts:
  guarded.test: { tls: off, ${to}, allow: ["ip:192.0.2.1"] }
  "[2001:db8::1]": { tls: off, ${to}, allow: ["ip:192.0.2.1"] }
default: { tls: off, ${to}, allow: [public] }
`,
    });
  });
  after(async () => {
    await postern?.close();
    await app?.close();
  });

  const ask = async (head: string): Promise<number> => {
    const { statuses } = await sendRaw(postern.http, `${head}\r\nConnection: close\r\n\r\n`);
    assert.equal(statuses.length, 1, head);
    return statuses[0] ?? 0;
  };

  test('one host has one rule, in whatever case, with a dot, a port, or the whole URL in the request line', async () => {
    app.reset();
    for (const host of SAME)
      for (const head of [`GET / HTTP/1.1\r\nHost: ${host}`, `GET http://${host}/ HTTP/1.1\r\nHost: ${host}`])
        assert.equal(await ask(head), 403, head);
    assert.deepEqual(app.requests, []);
    assert.equal(await ask('GET / HTTP/1.1\r\nHost: open.test'), 200, 'others are served by the default');
  });

  test('what is no host, is two, or is another than in the URL, is 400 and reaches nobody', async () => {
    app.reset();
    for (const host of NO_HOST) assert.equal(await ask(`GET / HTTP/1.1\r\nHost: ${host}`), 400, host);
    for (const head of [
      'GET / HTTP/1.1\r\nHost: guarded.test\r\nHost: open.test',
      'GET / HTTP/1.1\r\nHost: open.test\r\nHost: guarded.test',
      'GET / HTTP/1.1\r\nHost: open.test\r\nHost: open.test',
      'GET http://open.test/ HTTP/1.1\r\nHost: guarded.test',
      'GET http://guarded.test/ HTTP/1.1\r\nHost: open.test',
      'GET http://visitor@guarded.test/ HTTP/1.1\r\nHost: guarded.test',
      'GET / HTTP/1.1',
    ])
      assert.equal(await ask(head), 400, head);
    assert.deepEqual(app.requests, []);
  });

  test('a visitor who is no trusted proxy chooses no host by what proxies say', async () => {
    app.reset();
    for (const name of SAID)
      for (const value of ['open.test', 'open.test, guarded.test', 'guarded.test, open.test'])
        assert.equal(await ask(`GET / HTTP/1.1\r\nHost: guarded.test\r\n${name}: ${value}`), 403, `${name}: ${value}`);
    assert.equal(await ask('GET / HTTP/1.1\r\nHost: guarded.test\r\nForwarded: host=open.test;proto=https'), 403);
    assert.deepEqual(app.requests, []);
  });
});
