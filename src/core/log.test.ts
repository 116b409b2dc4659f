import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLogger, logFormatFor, visible, type Logger, type LoggerOptions } from './log.ts';

function rig(options: Partial<LoggerOptions>): { log: Logger; lines: string[] } {
  const lines: string[] = [];
  const log = createLogger({
    level: 'info',
    format: 'json',
    destination: { write: (line) => lines.push(line) },
    ...options,
  });
  return { log, lines };
}

test('a JSON line has time, level, facts and message, and no secret', () => {
  const { log, lines } = rig({ base: { worker: 2 } });
  log.warn({ code: 'UPSTREAM_TIMEOUT', headers: { cookie: 'c1' }, err: new Error('broken') }, 'App is slow');
  const { time, ...rest } = JSON.parse(lines[0] ?? '') as Record<string, unknown>;
  assert.match(String(time), /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  assert.deepEqual(rest, {
    level: 'warn',
    worker: 2,
    code: 'UPSTREAM_TIMEOUT',
    headers: { cookie: '***' },
    err: { name: 'Error', message: 'broken' },
    message: 'App is slow',
  });
});

test('levels below the chosen one are not written, in both forms', () => {
  for (const format of ['json', 'pretty'] as const) {
    const { log, lines } = rig({ format, level: 'warn' });
    log.debug({}, 'a');
    log.info({}, 'b');
    log.warn({}, 'c');
    log.error({}, 'd');
    assert.equal(lines.length, 2);
  }
});

test('a line for people is one line, with its facts behind the message', () => {
  const { log, lines } = rig({ format: 'pretty' });
  log.error({ at: 'hosts.a', remedy: 'write "b"', nothing: null, password: 'x' }, 'Cannot do it');
  assert.match(
    lines[0] ?? '',
    /^\d\d:\d\d:\d\d error Cannot do it at=hosts\.a remedy="write \\"b\\"" password="\*\*\*"\n$/,
  );
});

test('no fact and no message can end a line or send an escape to the terminal', () => {
  const evil = 'a\n{"level":"info"}\r\u001B[2J\u009B31m\u2028\u202Eb\u007F';
  for (const format of ['json', 'pretty'] as const) {
    const { log, lines } = rig({ format });
    log.info({ evil, [evil]: 1 }, evil);
    assert.equal(lines.length, 1);
    const line = (lines[0] ?? '').slice(0, -1);
    assert.doesNotMatch(line, format === 'json' ? /[\u0000-\u001F]/ : /[\u0000-\u001F\u007F-\u009F\u2028\u202E]/);
  }
  assert.equal(visible('plain ü 한'), 'plain ü 한');
});

test('logFormatFor() takes "auto" for what the descriptor is', () => {
  assert.equal(logFormatFor('pretty', 99), 'pretty');
  assert.equal(logFormatFor('auto', 99), 'json');
});
