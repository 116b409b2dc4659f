import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { loadDocument } from '../src/config/load.ts';
import { compileTable } from '../src/route/compile.ts';

const ROOT = resolve(import.meta.dirname, '..');
const ENV = {
  AWS_REQ_IP: '203.0.113.7',
  CLOUDFLARE_TOKEN: 'a-token-of-cloudflare',
  ZEROSSL_KEY_ID: 'a-key-id',
  ZEROSSL_HMAC_KEY: 'YS1rZXktb2YtemVyb3NzbA',
  KEYCLOAK_SECRET: 'a-secret-of-keycloak',
  GITHUB_SECRET: 'a-secret-of-github',
};

/** The YAML blocks of a page, without the indent of a list around them. */
function examplesOf(text: string): string[] {
  return [...text.matchAll(/^( *)```yaml\n([\s\S]*?)^\1```$/gm)].map(([, indent = '', block = '']) => {
    return block.replaceAll(new RegExp(`^${indent}`, 'gm'), '');
  });
}

for (const page of ['README.md', ...globSync('docs/**/*.md', { cwd: ROOT }).sort()]) {
  const examples = examplesOf(readFileSync(resolve(ROOT, page), 'utf8')).filter((text) =>
    text.startsWith('version: 1'),
  );
  examples.forEach((text, index) => {
    test(`${page}: example ${index + 1} is a good document`, () => {
      const { document, diagnostics } = loadDocument({
        text,
        file: page,
        env: ENV,
        readFile: (path) => readFileSync(path, 'utf8'),
      });
      assert.deepEqual(
        diagnostics.map(({ message }) => message),
        [],
      );
      assert.ok(document !== null);
      const errors = compileTable(document).diagnostics.filter(({ severity }) => severity === 'error');
      assert.deepEqual(errors, []);
    });
  });
}
