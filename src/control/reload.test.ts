import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EMPTY_CERTIFICATE_SET } from '../certs/certificate-set.ts';
import { silentLogger } from '../core/log.ts';
import { textSource } from './document-source.ts';
import { createReload, type Reload } from './reload.ts';

const DOCUMENT = 'version: 1\nhosts: { app.localhost: { respond: hi, allow: [public] } }\n';

interface Rig {
  readonly reload: Reload;
  readonly reads: () => number;
  /** Lets the reload that is under way go live, or fail. */
  readonly goLive: (error?: Error) => Promise<void>;
  readonly end: () => void;
}

function open(): Rig {
  const source = textSource('a test', DOCUMENT);
  let [reads, isEnding] = [0, false];
  const waiting: ((error?: Error) => void)[] = [];
  const reload = createReload({
    source: {
      ...source,
      readInTurns() {
        reads++;
        return source.readInTurns();
      },
    },
    certificates: (document) =>
      Promise.resolve({ document, set: EMPTY_CERTIFICATE_SET, diagnostics: [], wanted: [], files: [] }),
    log: silentLogger,
    goLive: () =>
      new Promise((resolve, reject) => waiting.push((error) => (error === undefined ? resolve() : reject(error)))),
    needsRestart: () => null,
    onDone: () => undefined,
    isEnding: () => isEnding,
    current: () => ({ revision: 'before', document: source.read().result.document ?? assert.fail() }),
  });
  return {
    reload,
    reads: () => reads,
    async goLive(error) {
      while (waiting.length === 0) await new Promise((done) => setImmediate(done));
      waiting.shift()?.(error);
    },
    end: () => (isEnding = true),
  };
}

test('createReload(): whoever asks while one runs waits for the next; all who wait share one', async () => {
  const rig = open();
  const first = rig.reload();
  while (rig.reads() === 0) await new Promise((done) => setImmediate(done));
  const later = Array.from({ length: 100 }, () => rig.reload());
  await rig.goLive();
  await rig.goLive();
  assert.equal((await first).ok, true);
  const answers = await Promise.all(later);
  assert.equal(new Set(answers.map(({ revision }) => revision)).size, 1);
  assert.notEqual(answers[0]?.revision, (await first).revision);
  assert.equal(rig.reads(), 2, 'the document was read twice for 101');
});

test('createReload(): once Postern ends nothing is read, and what was under way is no failure to look into', async () => {
  const rig = open();
  const under = rig.reload();
  while (rig.reads() === 0) await new Promise((done) => setImmediate(done));
  rig.end();
  await rig.goLive(new Error('The worker is gone'));
  const ending = { ok: false, revision: 'before', printed: 'Postern is ending: the document is not read again' };
  assert.deepEqual(await under, ending);
  assert.deepEqual(await rig.reload(), ending);
  assert.equal(rig.reads(), 1);
});
