import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { SERVING_V8_FLAGS } from './v8-flags.ts';

test('SERVING_V8_FLAGS are flags that this Node knows', () => {
  const known = execFileSync(process.execPath, ['--v8-options'], { encoding: 'utf8' });
  for (const flag of SERVING_V8_FLAGS) assert.ok(known.includes(flag.replace(/^--no-/, '--').replace(/=.*/, '')), flag);
});

test('With SERVING_V8_FLAGS a crowd that connects by TLS does not make V8 collect the whole heap again and again', () => {
  const before = wholeCollections([]);
  const after = wholeCollections(SERVING_V8_FLAGS);
  assert.ok(before >= 4, `what the flags are for: ${before}`);
  assert.ok(after * 2 <= before, `${after} in place of ${before}`);
});

/** While 8 000 ends of TLS connections are made; by one thread, so that it is the same number each time. */
function wholeCollections(flags: readonly string[]): number {
  const connect = `
    const { PerformanceObserver, constants } = require('node:perf_hooks');
    const { Duplex } = require('node:stream');
    const { TLSSocket } = require('node:tls');
    let whole = 0;
    new PerformanceObserver((list) => {
      whole += list.getEntries().filter(({ detail }) => detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR).length;
    }).observe({ entryTypes: ['gc'] });
    const ends = [];
    const more = () => {
      for (let i = 0; i < 40; i++) ends.push(new TLSSocket(new Duplex({ read() {}, write(_, __, done) { done(); } })));
      if (ends.length < 8000) setTimeout(more, 5);
      else setTimeout(() => { console.log(whole); process.exit(0); }, 100);
    };
    more();`;
  return Number(
    execFileSync(process.execPath, ['--single-threaded-gc', ...flags, '-e', connect], { encoding: 'utf8' }),
  );
}
