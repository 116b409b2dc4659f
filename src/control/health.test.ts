import assert from 'node:assert/strict';
import { test } from 'node:test';
import { freePorts } from '../../test/support/free-ports.ts';
import { Metrics } from '../observe/metrics.ts';
import { Health } from './health.ts';
import type { HealthDeps } from './health.ts';

test('Health is alive all the time, and ready while it serves: neither without its store nor while it ends', async (t) => {
  const [port = 0] = await freePorts(1);
  let why: string | null = null;
  const pool = {
    count: 2,
    metrics: () => Promise.resolve([new Metrics().snapshot()]),
  } as unknown as HealthDeps['pool'];
  const health = new Health({
    pool,
    version: '1.0.0',
    certificates: () => ({ certificates: [] }) as unknown as ReturnType<HealthDeps['certificates']>,
    issuance: () => null,
    uploads: () => [],
    reload: () => ({ at: 0, succeeded: true }),
    notServing: () => why,
  });
  t.after(() => health.close());
  const move = await health.move({ host: '127.0.0.1', port, tls: false, at: [] });
  const ask = async (path: string): Promise<[status: number, text: string]> => {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`);
    return [answer.status, await answer.text()];
  };
  assert.deepEqual(await ask('/readyz'), [503, 'not ready: it is starting\n']);
  await move.adopt();
  assert.deepEqual(await ask('/readyz'), [200, 'ready\n']);
  assert.match((await ask('/metrics'))[1], /^postern_ready 1$/m);
  why = 'the store does not answer';
  assert.deepEqual(await ask('/readyz'), [503, 'not ready: the store does not answer\n']);
  assert.match((await ask('/metrics'))[1], /^postern_ready 0$/m);
  assert.equal((await ask('/healthz'))[0], 200);
  why = null;
  assert.equal((await ask('/readyz'))[0], 200);
  health.setDraining();
  assert.deepEqual(await ask('/readyz'), [503, 'not ready: it is ending\n']);
  assert.equal((await ask('/healthz'))[0], 200);
});
