/** What `npm test` leaves out on a machine that lacks a program: whatever starts it, by whichever way, and nothing else. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { isInstalled, splitByNeed } from '../scripts/tests-without.mjs';

const root = mkdtempSync(join(tmpdir(), 'postern-tests-without-'));
after(() => rmSync(root, { recursive: true }));
mkdirSync(join(root, 'src/deep'), { recursive: true });
const FILES = {
  'src/starts.test.ts': "execFileSync(\n  'openssl',\n  ['version'])",
  'src/says.test.ts': "const check = 'openssl';",
  'src/_maker.ts': "import './_circle.ts';\nspawn('openssl', [])",
  'src/_circle.ts': "import { a } from './_maker.ts';\nexport { b } from './_plain.ts';",
  'src/_plain.ts': 'export const b = 1;',
  'src/deep/by-others.test.ts': "import { test } from 'node:test';\nimport {\n  a,\n} from '../_circle.ts';",
  'src/plain.test.ts': "import { b } from './_plain.ts';\n// execFileSync is not called for 'openssl'",
};
for (const [name, text] of Object.entries(FILES)) writeFileSync(join(root, name), text);

test('splitByNeed() leaves out what starts the program, itself or by what it imports, in circles too', () => {
  const { able, left } = splitByNeed('openssl', root, ['src']);
  assert.deepEqual(able.toSorted(), ['src/plain.test.ts', 'src/says.test.ts']);
  assert.equal(left, 2);
  assert.equal(splitByNeed('another', root, ['src']).left, 0);
});

test('splitByNeed() knows this project: what makes certificates with openssl, and what needs none', () => {
  const { able } = splitByNeed('openssl', join(import.meta.dirname, '..'), ['src', 'test']);
  for (const needing of ['src/certs/files.test.ts', 'src/edge/transport.test.ts', 'src/upstream/tls.test.ts'])
    assert.ok(!able.includes(needing), needing);
  for (const plain of ['src/certs/der-reader.test.ts', 'src/wire/http1-server.test.ts', 'test/tests-without.test.ts'])
    assert.ok(able.includes(plain), plain);
});

test('isInstalled() looks along the path', () => {
  writeFileSync(join(root, 'tool'), '');
  assert.ok(isInstalled('tool', `/nowhere::${root}`));
  assert.ok(!isInstalled('tool', '/nowhere:'));
});
