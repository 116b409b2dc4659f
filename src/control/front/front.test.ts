import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test, type TestContext } from 'node:test';
import { openSslNames } from './cipher-names.ts';
import { compileLineTemplate, timestamp } from './line-template.ts';
import { parseFrontAddress, removeStaleSocket } from './listen-on.ts';
import { openRotatingFile } from './rotating-file.ts';

function makeFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'front-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

void suite('parseFrontAddress()', () => {
  test('reads every form of http-address', () => {
    for (const [text, address] of [
      ['127.0.0.1:4180', { kind: 'tcp', host: '127.0.0.1', port: 4180 }],
      [':80', { kind: 'tcp', host: null, port: 80 }],
      ['[::1]:4180', { kind: 'tcp', host: '::1', port: 4180 }],
      ['http://127.0.0.1:4180', { kind: 'tcp', host: '127.0.0.1', port: 4180 }],
      ['http://:4180', { kind: 'tcp', host: null, port: 4180 }],
      ['unix:/run/x.sock', { kind: 'unix', path: '/run/x.sock', mode: null }],
      ['unix:///run/x.sock', { kind: 'unix', path: '/run/x.sock', mode: null }],
      ['unix:/run/x.sock,mode=0660', { kind: 'unix', path: '/run/x.sock', mode: 0o660 }],
      ['unix:/run/x.sock,mode=600', { kind: 'unix', path: '/run/x.sock', mode: 0o600 }],
      ['fd:3', { kind: 'fd', fd: 3 }],
      ['FD:4', { kind: 'fd', fd: 4 }],
      [null, null],
      ['', null],
      ['-', null],
    ] as const)
      assert.deepEqual(parseFrontAddress(text, 'http-address'), address, String(text));
  });

  test('refuses what is none, with what to write', () => {
    for (const text of [
      '4180',
      'nonsense',
      '127.0.0.1',
      ':99999',
      'unix:relative',
      'unix:/x,mode=9',
      'unix:/x,user=a',
      'fd:x',
    ])
      assert.throws(
        () => parseFrontAddress(text, 'http-address'),
        { code: 'CONFIG_INVALID', message: /^Cannot use http-address "/ },
        text,
      );
  });
});

test('removeStaleSocket() removes what nobody answers on, and nothing else', async (t) => {
  const folder = makeFolder(t);
  const path = join(folder, 'x.sock');
  await removeStaleSocket(path);
  writeFileSync(path, 'a file');
  await removeStaleSocket(path);
  assert.equal(readFileSync(path, 'utf8'), 'a file');
  const live = join(folder, 'live.sock');
  const server = createServer().listen(live);
  await new Promise((done) => server.once('listening', done));
  t.after(() => server.close());
  await removeStaleSocket(live);
  assert.ok(readdirSync(folder).includes('live.sock'));
});

void suite('compileLineTemplate()', () => {
  test('fills fields in, and lets no value end the line', () => {
    const template = compileLineTemplate('{{.Client}} - {{ .Username }} [{{.Client}}]', ['Client', 'Username'], 'x');
    const line = template({ Client: '192.0.2.1', Username: 'a\nb\u001b[31m' });
    assert.equal(line, '192.0.2.1 - a\\u000ab\\u001b[31m [192.0.2.1]');
  });

  test('refuses what it does not know, with the fields that it does', () => {
    for (const text of [
      '{{.Nobody}}',
      '{{.Client',
      'x {{.Client}} {{',
      '{{if .Client}}x{{end}}',
      '{{.Client | printf "%s"}}',
      '{{}}',
    ])
      assert.throws(
        () => compileLineTemplate(text, ['Client'], 'auth-logging-format'),
        { code: 'CONFIG_INVALID', message: /the fields are {{\.Client}}$/ },
        text,
      );
  });

  test('timestamp() writes times as the original', () => {
    assert.equal(timestamp(new Date(2026, 10, 6, 4, 5, 9).getTime(), false), '2026/11/06 04:05:09');
    assert.equal(timestamp(Date.UTC(2026, 10, 6, 4, 5, 9), true), '2026/11/06 04:05:09');
  });

  test('timestamp() tells UTC where the clocks of the place are put forward or back', (t) => {
    const { TZ } = process.env;
    t.after(() => {
      if (TZ === undefined) delete process.env['TZ'];
      else process.env['TZ'] = TZ;
    });
    process.env['TZ'] = 'America/New_York';
    assert.equal(timestamp(Date.UTC(2028, 2, 12, 6, 59, 59), false), '2028/03/12 01:59:59');
    assert.equal(timestamp(Date.UTC(2028, 2, 12, 7), false), '2028/03/12 03:00:00');
    const wrong: string[] = [];
    for (const day of [Date.UTC(2028, 2, 11), Date.UTC(2028, 10, 4)])
      for (let hour = 0; hour < 72; hour++) {
        const at = day + hour * 3_600_000;
        const told = timestamp(at, true);
        if (Date.parse(`${told.replaceAll('/', '-').replace(' ', 'T')}Z`) !== at)
          wrong.push(`${new Date(at).toISOString()} as ${told}`);
      }
    assert.deepEqual(wrong, []);
  });
});

test('openSslNames() translates suites, leaves weak ones out and refuses unknown ones', () => {
  const weak: string[] = [];
  const note = (suiteName: string): unknown => weak.push(suiteName);
  assert.equal(openSslNames([], note), null);
  assert.match(openSslNames(['TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256'], note) ?? '', /:ECDHE-RSA-AES128-GCM-SHA256$/);
  openSslNames(['TLS_RSA_WITH_AES_128_CBC_SHA', 'TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384'], note);
  assert.deepEqual(weak, ['TLS_RSA_WITH_AES_128_CBC_SHA']);
  assert.throws(() => openSslNames(['TLS_NONSENSE'], note), { code: 'CONFIG_INVALID' });
});

test('openRotatingFile() sets a full file aside, and keeps as many as it is told', async (t) => {
  const folder = makeFolder(t);
  const path = join(folder, 'postern.log');
  const file = openRotatingFile({ path, maxMegabytes: 1, maxDays: 0, backups: 2 });
  const line = `${'x'.repeat(400_000)}\n`;
  for (let i = 0; i < 12; i++) {
    file.write(line);
    await new Promise((done) => setTimeout(done, 5));
  }
  await file.close();
  const names = readdirSync(folder);
  assert.equal(names.filter((name) => /^postern-\d{4}-.*\.log$/.test(name)).length, 2);
  assert.ok(names.includes('postern.log'));
  assert.ok(readFileSync(path).length <= 1 << 20);
  assert.throws(() => openRotatingFile({ path: '/nowhere/x.log', maxMegabytes: 1, maxDays: 0, backups: 0 }), {
    code: 'CONFIG_UNREADABLE',
  });
});
