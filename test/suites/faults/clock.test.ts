/**
 * A clock that jumps, by hours or by a year, back and forth, as on a machine whose battery is empty or whose NTP
 * begins late: nobody is let in for longer than the clock says now, nobody is signed out for a jump back, and what
 * needs no session is served throughout.
 */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { addUser, signIn, startPostern } from '../../support/postern.ts';
import { until } from '../../support/programs.ts';
import { sendRaw } from '../../support/raw.ts';
import { startRecordingApp } from '../../support/recording-app.ts';
import { SHIFTED_CLOCK } from '../../support/shifted-clock.ts';
import type { PosternProcess } from '../../support/postern.ts';
import type { RecordingApp } from '../../support/recording-app.ts';
import type { Visitor } from '../../support/visitor.ts';

const HOUR = 3_600_000;
const YEAR = 365 * 24 * HOUR;

suite('a clock that jumps', () => {
  let app: RecordingApp;
  let postern: PosternProcess;
  let visitor: Visitor;

  before(async () => {
    app = await startRecordingApp();
    postern = await startPostern({
      preload: 'clock.mjs',
      files: { 'clock.mjs': SHIFTED_CLOCK },
      document: ({ https, http, health }) => `version: 1
listen: { http: { address: "127.0.0.1:${http}", tls: off }, https: "127.0.0.1:${https}", health: "127.0.0.1:${health}" }
workers: 1
providers: { local: { type: local } }
session: { insecure_http: true, lifetime: 12h, idle: 2h }
sign_in: { url: "https://auth.localhost:${https}" }
hosts:
  app.localhost: { to: "http://127.0.0.1:${app.port}", allow: [signed-in] }
  open.test: { tls: off, to: "http://127.0.0.1:${app.port}", allow: [public] }
`,
    });
    const password = await addUser(postern, 'alice');
    visitor = await signIn(url(), 'alice', password);
  });
  after(async () => {
    assert.equal(await postern?.close(), 0);
    await app?.close();
  });

  const url = (): string => `https://app.localhost:${postern.https}/`;

  /** Sets every thread's clock, and gives the timers that look at it their turns. */
  async function jump(ms: number): Promise<void> {
    writeFileSync(join(postern.dir, 'offset'), String(ms));
    await new Promise((done) => setTimeout(done, 2_500));
  }

  async function isIn(): Promise<boolean> {
    const open = await sendRaw(postern.http, 'GET / HTTP/1.1\r\nHost: open.test\r\nConnection: close\r\n\r\n');
    assert.deepEqual(open.statuses, [200], 'what is public is served');
    const page = await visitor.open(url());
    assert.equal(page.status, 200);
    return page.url === url();
  }

  test('back and forth, in order', async () => {
    assert.equal(await isIn(), true);
    for (const [name, ms, isStillIn] of [
      ['back an hour', -HOUR, true],
      ['back a year', -YEAR, true],
      ['as it was', 0, true],
      ['on by an hour', HOUR, true],
      ['on by a year: the session is over', YEAR, false],
      ['as it was: what is over stays so', 0, false],
    ] as const) {
      await jump(ms);
      assert.equal(await isIn(), isStillIn, name);
    }
    await until(() => /"host":"app\.localhost"/.test(postern.output()), 'the log goes on');
    assert.doesNotMatch(postern.output(), /"level":"(?:error|warn)"/);
    const lines = postern.output().split('\n').length;
    assert.ok(lines < 200, `no flood of lines: ${lines}`);
  });
});
