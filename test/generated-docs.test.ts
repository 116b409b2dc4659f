import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { generatedDocs } from '../scripts/generate-docs.ts';

for (const [path, text] of generatedDocs()) {
  test(`${path} is what scripts/generate-docs.ts writes`, () => {
    const stored = readFileSync(resolve(import.meta.dirname, '..', path), 'utf8');
    assert.ok(stored === text, `Stale: "${path}" differs; run node scripts/generate-docs.ts`);
  });
}
