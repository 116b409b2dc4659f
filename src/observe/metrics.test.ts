import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { writeExposition } from './exposition.ts';
import { metricsText, type MetricsPage } from './metrics-text.ts';
import { mergeSnapshots, Metrics, retireSnapshot } from './metrics.ts';
import { parseExposition } from './_strict-exposition.ts';

function busyWorker(): Metrics {
  const metrics = new Metrics();
  metrics.request('app.example.com /*', 200, 3);
  metrics.request('app.example.com /*', 200, 40_000);
  metrics.request('app.example.com /*', 503, 0);
  metrics.request(null, 404, 1);
  metrics.count('decisions', 'allow');
  metrics.count('decisions', 'allow');
  metrics.count('upstreamErrors', 'UPSTREAM_TIMEOUT');
  metrics.add('sentBytes', 1e9);
  metrics.change('openConnections', 1);
  metrics.change('openConnections', 1);
  metrics.change('openConnections', -1);
  return metrics;
}

function page(more: Partial<MetricsPage> = {}): MetricsPage {
  return {
    snapshot: mergeSnapshots([busyWorker().snapshot(), busyWorker().snapshot()]),
    version: '0.1.0',
    workers: 2,
    isReady: true,
    reload: { at: 1000, succeeded: false },
    certificates: [
      { names: ['a.test', 'b.test'], notAfter: 5000, source: 'file' },
      { names: ['a.test'], notAfter: 3000, source: 'file' },
    ],
    ...more,
  };
}

test('a page parses strictly, and holds the sum of the workers', () => {
  const families = parseExposition(metricsText(page()));
  const value = (family: string, key: string): number | undefined => families.get(family)?.samples.get(key);
  assert.equal(value('postern_requests_total', 'postern_requests_total{route="app.example.com /*",status="2xx"}'), 4);
  assert.equal(value('postern_requests_total', 'postern_requests_total{route="none",status="4xx"}'), 2);
  const bucket = (le: string): number | undefined =>
    value(
      'postern_request_duration_seconds',
      `postern_request_duration_seconds_bucket{route="app.example.com /*",le="${le}"}`,
    );
  assert.deepEqual([bucket('0.0025'), bucket('0.005'), bucket('30'), bucket('+Inf')], [2, 4, 4, 6]);
  assert.equal(value('postern_decisions_total', 'postern_decisions_total{decision="allow"}'), 4);
  assert.equal(value('postern_open_connections', 'postern_open_connections{}'), 2);
  assert.equal(value('postern_sent_body_bytes_total', 'postern_sent_body_bytes_total{}'), 2e9);
  assert.equal(
    value(
      'postern_certificate_not_after_seconds',
      'postern_certificate_not_after_seconds{name="a.test",source="file"}',
    ),
    3,
  );
  assert.equal(value('postern_config_reload_succeeded', 'postern_config_reload_succeeded{}'), 0);
  assert.ok((value('process_resident_memory_bytes', 'process_resident_memory_bytes{}') ?? 0) > 1e6);
});

test('labels that hold quotes, backslashes and line ends stay one label', () => {
  const metrics = new Metrics();
  for (const label of ['"', '\\', '\n', 'a"b\\"c\nd', '{x="y"}', '__proto__']) metrics.request(label, 200, 1);
  const families = parseExposition(metricsText(page({ snapshot: mergeSnapshots([metrics.snapshot()]) })));
  assert.equal(families.get('postern_requests_total')?.samples.size, 6);
});

test('names that break the format throw rather than spoil the page', () => {
  const family = (name: string, labels: Record<string, string>): string =>
    writeExposition([{ name, help: 'x', type: 'gauge', samples: [{ labels, value: 1 }] }]);
  assert.throws(() => family('a-b', {}), TypeError);
  assert.throws(() => family('a', { 'b-c': '' }), TypeError);
  assert.throws(() => family('a', { __name__: '' }), TypeError);
  assert.equal(family('a', { b: 'c' }), '# HELP a x\n# TYPE a gauge\na{b="c"} 1\n');
});

test('routes and labels are bounded, and nothing is lost', () => {
  const metrics = new Metrics();
  for (let n = 0; n < 5000; n += 1) {
    metrics.request(`route ${n}`, 200, 1);
    metrics.count('errors', `code ${n}`);
  }
  const { routes, counters } = metrics.snapshot();
  assert.ok(Object.keys(routes).length <= 201);
  assert.ok(Object.keys(counters.errors).length <= 201);
  assert.equal(
    Object.values(routes).reduce((sum, route) => sum + (route.statuses[1] ?? 0), 0),
    5000,
  );
  assert.equal(
    Object.values(counters.errors).reduce((sum, value) => sum + value, 0),
    5000,
  );
});

test('a snapshot crosses threads, adds up, and keeps its counts when its worker ends', () => {
  const snapshot = busyWorker().snapshot();
  assert.deepEqual(structuredClone(snapshot), snapshot);
  const before = mergeSnapshots([snapshot, snapshot]);
  const after = mergeSnapshots([snapshot, retireSnapshot(snapshot)]);
  assert.deepEqual(after.counters, before.counters);
  assert.deepEqual(after.routes, before.routes);
  assert.deepEqual([before.gauges.openConnections, after.gauges.openConnections], [2, 1]);
  assert.deepEqual(mergeSnapshots([]).gauges, new Metrics().snapshot().gauges);
});

const promtool = spawnSync('promtool', ['--version'], { encoding: 'utf8' });

test(
  'promtool finds nothing to complain of',
  { skip: promtool.error === undefined ? false : 'promtool is not installed' },
  () => {
    const answer = spawnSync('promtool', ['check', 'metrics'], { input: metricsText(page()), encoding: 'utf8' });
    assert.equal(`${answer.status} ${answer.stdout}${answer.stderr}`, '0 ');
  },
);
