/** `postern ca install`: afterwards a real browser and a real client of the system trust the local CA, and not any more after `uninstall`. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { chromium } from 'playwright-core';
import { findPeer, skipWithout } from '../../support/peers.ts';
import { startPostern } from '../../support/postern.ts';
import type { PosternProcess } from '../../support/postern.ts';

const needsRoot = process.getuid?.() === 0 ? false : 'needs root to change the store of the system';

suite('postern ca install', () => {
  let postern: PosternProcess;
  const home = mkdtempSync(join(tmpdir(), 'postern-home-'));

  before(async () => {
    postern = await startPostern({
      document: ({ https, health }) => `version: 1
listen: { http: off, https: "127.0.0.1:${https}", health: "127.0.0.1:${health}" }
hosts: { app.localhost: { respond: it works, allow: [public] } }
`,
    });
  });
  after(async () => {
    await postern?.close();
    rmSync(home, { recursive: true, force: true });
  });

  const ca = (
    command: 'install' | 'uninstall',
    path = process.env['PATH'] ?? '',
  ): { code: number | null; out: string } => {
    const program = join(import.meta.dirname, '../../../bin/postern');
    const env = { ...process.env, HOME: home, PATH: path };
    const { status, stdout, stderr } = spawnSync(program, ['ca', command, '--data', postern.dataDir], {
      env,
      encoding: 'utf8',
    });
    return { code: status, out: stdout + stderr };
  };

  async function visit(): Promise<string> {
    const executablePath = findPeer('chromium') ?? '';
    const browser = await chromium.launch({
      executablePath,
      args: ['--no-sandbox'],
      env: { ...process.env, HOME: home },
    });
    try {
      const page = await browser.newPage();
      await page.goto(`https://app.localhost:${postern.https}/`);
      return (await page.textContent('body')) ?? '';
    } catch (error) {
      return /ERR_CERT_\w+/.exec(String(error))?.[0] ?? String(error);
    } finally {
      await browser.close();
    }
  }

  test('Chromium', { skip: skipWithout('chromium', 'certutil') }, async () => {
    const folder = join(home, '.pki', 'nssdb');
    mkdirSync(folder, { recursive: true });
    execFileSync('certutil', ['-N', '-d', `sql:${folder}`, '--empty-password']);
    assert.equal(await visit(), 'ERR_CERT_AUTHORITY_INVALID');
    const installed = ca('install');
    assert.match(installed.out, /Installed in ".*nssdb": Chrome and Chromium/);
    assert.equal(await visit(), 'it works');
    assert.match(ca('uninstall').out, /Removed from ".*nssdb"/);
    assert.equal(await visit(), 'ERR_CERT_AUTHORITY_INVALID');
  });

  test("the system's store", { skip: needsRoot || skipWithout('update-ca-certificates', 'openssl') }, () => {
    const verify = (): string => {
      const args = [
        's_client',
        '-connect',
        `127.0.0.1:${postern.https}`,
        '-servername',
        'app.localhost',
        '-CApath',
        '/etc/ssl/certs',
      ];
      return (
        spawnSync('openssl', args, { input: '', encoding: 'utf8' }).stdout.match(/Verify return code: (\d+)/)?.[1] ?? ''
      );
    };
    assert.notEqual(verify(), '0');
    try {
      assert.match(ca('install').out, /Installed in the system's store: curl/);
      assert.equal(verify(), '0');
    } finally {
      assert.match(ca('uninstall').out, /Removed from the system's store/);
    }
    assert.notEqual(verify(), '0');
  });

  test('says what to do where no CA is made yet', () => {
    const program = join(import.meta.dirname, '../../../bin/postern');
    const { status, stderr } = spawnSync(program, ['ca', 'install', '--data', home], { encoding: 'utf8' });
    assert.equal(status, 1);
    assert.match(stderr, /has no local CA yet; start Postern once/);
  });
});
