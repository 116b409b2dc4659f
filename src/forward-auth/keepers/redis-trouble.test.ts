import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRedisTrouble } from './redis-trouble.ts';

test('a command that Redis does not know is told once, and not what it was asked with', () => {
  const told: string[] = [];
  const log = (fields: object, message: string): void => void told.push(`${JSON.stringify(fields)} ${message}`);
  const trouble = createRedisTrouble({ debug: log, info: log, warn: log, error: log });
  const unknown = (...args: readonly string[]): Error =>
    new Error(`ERR unknown command 'get', with args beginning with: ${args.map((one) => `'${one}' `).join('')}`);
  for (const key of ['session-1', 'session-2', 'two\nlines']) {
    const { message } = trouble.error(unknown(key, 'sealed'));
    assert.match(message, /unknown command 'get'; allow its user /);
    assert.doesNotMatch(message, /session-|sealed|lines/);
  }
  assert.equal(told.length, 1, told.join('\n'));
  assert.doesNotMatch(told[0] ?? '', /session-|sealed/);
  trouble.error(new Error("NOPERM this user has no permissions to run the 'eval' command"));
  assert.equal(told.length, 2, 'each command for itself');
});
