import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { SERVING_V8_FLAGS } from './v8-flags.ts';

test('SERVING_V8_FLAGS are flags that this Node knows', () => {
  const known = execFileSync(process.execPath, ['--v8-options'], { encoding: 'utf8' });
  for (const flag of SERVING_V8_FLAGS) assert.ok(known.includes(flag.replace(/^--no-/, '--').replace(/=.*/, '')), flag);
});
