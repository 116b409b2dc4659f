/** A real Prometheus scrapes Postern's own /metrics, promtool finds nothing to say about them, and what it sees is true. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { findPeer, skipWithout } from '../../support/peers.ts';
import { freePorts } from '../../support/free-ports.ts';
import { startPostern } from '../../support/postern.ts';
import type { PosternProcess } from '../../support/postern.ts';
import { accepts, startProgram, until } from '../../support/programs.ts';
import type { Program } from '../../support/programs.ts';
import { sendRaw } from '../../support/raw.ts';

suite('Prometheus watches Postern', { skip: skipWithout('prometheus', 'promtool') }, () => {
  let dir = '';
  let port = 0;
  let prometheus: Program;
  let postern: PosternProcess;

  before(async () => {
    dir = mkdtempSync(join(tmpdir(), 'postern-prometheus-'));
    [port = 0] = await freePorts(1);
    postern = await startPostern({
      document: ({ http, health }) => `version: 1
listen: { http: { address: "127.0.0.1:${http}", tls: off }, https: off, health: "127.0.0.1:${health}" }
hosts:
  app.test: { tls: off, respond: here, allow: [public] }
  closed.test: { tls: off, respond: here, allow: ["ip:192.0.2.1"] }
`,
    });
    writeFileSync(
      join(dir, 'prometheus.yaml'),
      `global: { scrape_interval: 1s }
scrape_configs: [{ job_name: postern, static_configs: [{ targets: ["127.0.0.1:${postern.health}"] }] }]
`,
    );
    const storage = [`--storage.tsdb.path=${dir}/data`, `--web.listen-address=127.0.0.1:${port}`];
    prometheus = startProgram('prometheus', [`--config.file=${dir}/prometheus.yaml`, ...storage, '--log.level=error']);
    await until(() => accepts(port), 'Prometheus listens');
  });
  after(async () => {
    await prometheus?.stop();
    await postern?.close();
    rmSync(dir, { recursive: true, force: true });
  });

  /** The value of the newest sample, or null where there is none. */
  const query = async (expression: string): Promise<number | null> => {
    const answer = await fetch(`http://127.0.0.1:${port}/api/v1/query?query=${encodeURIComponent(expression)}`);
    // While it starts it answers 503.
    if (!answer.ok) return null;
    const { data } = (await answer.json()) as { data?: { result?: { value?: [number, string] }[] } };
    const value = data?.result?.[0]?.value?.[1];
    return value === undefined ? null : Number(value);
  };

  const ask = async (host: string, count: number): Promise<void> => {
    const one = `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
    const last = `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
    const { statuses } = await sendRaw(postern.http, one.repeat(count - 1) + last, { quietMs: 10_000 });
    assert.equal(statuses.length, count);
  };

  test('it is up, and its counts are those of the requests', { timeout: 300_000 }, async () => {
    await until(async () => (await query('up{job="postern"}')) === 1, 'Prometheus sees its target up');
    await ask('app.test', 7);
    await ask('closed.test', 5);
    await until(
      async () => (await query('sum(postern_requests_total{status="2xx"})')) === 7,
      'it has seen the seven requests that were answered',
    );
    await until(
      async () => (await query('postern_decisions_total{decision="deny"}')) === 5,
      'it has seen the five that were denied',
    );
    // What a scrape within its second did not bring is not there for a second.
    await until(async () => (await query('postern_ready')) === 1, 'it is ready');
    await until(async () => ((await query('process_resident_memory_bytes')) ?? 0) > 10_000_000, 'its memory');
  });

  test('promtool finds nothing wrong with them', async () => {
    const text = await (await fetch(`http://127.0.0.1:${postern.health}/metrics`)).text();
    const checked = spawnSync(findPeer('promtool') ?? '', ['check', 'metrics'], { input: text });
    assert.equal(checked.stdout.toString() + checked.stderr.toString(), '');
    assert.equal(checked.status, 0);
  });
});
