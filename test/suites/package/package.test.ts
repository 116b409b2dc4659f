/** The package as npm installs it: JavaScript only, and its `bin` runs with whatever Node is there. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';

const run = promisify(execFile);
const ROOT = resolve(import.meta.dirname, '../../..');

test('npm pack makes a package that installs and runs', { timeout: 600_000 }, async () => {
  const dir = mkdtempSync(join(tmpdir(), 'postern-package-'));
  try {
    await run('npm', ['pack', '--silent', '--pack-destination', dir], { cwd: ROOT });
    const [tarball = ''] = readdirSync(dir);
    const { stdout: list } = await run('tar', ['tzf', join(dir, tarball)]);
    assert.doesNotMatch(list, /\.test\.|\/src\/.*\.ts$|_rig|-rig|_twin|_fake|contract/m);
    writeFileSync(join(dir, 'package.json'), '{ "name": "somebody", "private": true }');
    await run('npm', ['install', '--silent', '--no-audit', '--no-fund', join(dir, tarball)], { cwd: dir });
    const { stdout } = await run(join(dir, 'node_modules/.bin/postern'), ['--version'], { cwd: dir });
    assert.match(stdout, /^\d+\.\d+\.\d+\n$/);
    const { stdout: hash } = await run(
      'sh',
      ['-c', `echo secret | ${join(dir, 'node_modules/.bin/postern')} hash-password`],
      { cwd: dir },
    );
    assert.match(hash, /^\$argon2id\$/);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
