import assert from 'node:assert/strict';
import { test } from 'node:test';
import { printHelp } from './help.ts';

test('printHelp() keeps each flag apart from what is said about it', () => {
  for (const line of printHelp().split('\n')) {
    if (!line.startsWith('  --')) continue;
    assert.match(line, /^ {2}--[a-z][a-z0-9-]*(?: (?:[A-Z]+|true\|false))?(?: {2,}\S.*)?$/);
    assert.ok(line.length <= 100, line);
  }
});
