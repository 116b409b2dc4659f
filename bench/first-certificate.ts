/**
 * How long it takes from the start of the program to a name that is served with a certificate which its
 * visitors trust: Postern and Caddy in turn, against the same pebble without its delays.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { acmeDocument, visit } from '../test/suites/acme/rig.ts';
import { startPebble } from '../test/support/pebble.ts';
import { freePorts } from '../test/support/free-ports.ts';
import { startProgram, type Program } from '../test/support/programs.ts';

const ROUNDS = 5;
const [http = 0, https = 0, health = 0] = await freePorts(3);
const pebble = await startPebble({
  httpPort: http,
  tlsPort: https,
  env: { PEBBLE_VA_NOSLEEP: '1', PEBBLE_WFE_NONCEREJECT: '5' },
});
const roots = await pebble.issuerPem();
const results = { postern: [] as number[], caddy: [] as number[] };
try {
  for (let round = 0; round < ROUNDS; round += 1) {
    results.caddy.push(await measure(`c${round}.example.com`, startCaddy));
    results.postern.push(await measure(`p${round}.example.com`, startPostern));
  }
} finally {
  await pebble.stop();
}
for (const [name, times] of Object.entries(results))
  console.log(
    `${name.padEnd(8)} median ${median(times).toFixed(0)} ms (${times.map((ms) => ms.toFixed(0)).join(', ')})`,
  );
console.log(`ratio    ${(median(results.postern) / median(results.caddy)).toFixed(2)}`);

async function measure(name: string, start: (name: string, dir: string) => Program): Promise<number> {
  const dir = mkdtempSync(join(tmpdir(), 'postern-first-'));
  const begun = performance.now();
  const program = start(name, dir);
  try {
    for (;;) {
      const seen = await visit(https, name, roots);
      if (seen.error === null && seen.body.endsWith('hello')) return performance.now() - begun;
      if (performance.now() - begun > 60_000) throw new Error(`Cannot go on: no certificate\n${program.output()}`);
      await wait(10);
    }
  } finally {
    await program.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

function startPostern(name: string, dir: string): Program {
  const file = join(dir, 'postern.yaml');
  const hosts = `  ${name}: { respond: { status: 200, body: hello }, allow: [public] }`;
  writeFileSync(file, acmeDocument({ pebble, hosts, http, https, health }));
  return startProgram(join(import.meta.dirname, '../bin/postern'), [
    'run',
    '--config',
    file,
    '--data',
    join(dir, 'data'),
  ]);
}

function startCaddy(name: string, dir: string): Program {
  const file = join(dir, 'Caddyfile');
  const options = ['admin off', `http_port ${http}`, `https_port ${https}`, `acme_ca ${pebble.directory}`];
  const more = [`acme_ca_root ${pebble.rootFile}`, 'email ops@example.com', `storage file_system ${dir}/data`];
  writeFileSync(file, `{\n  ${[...options, ...more].join('\n  ')}\n}\n${name} {\n  respond "hello"\n}\n`);
  return startProgram('caddy', ['run', '--config', file, '--adapter', 'caddyfile'], { HOME: dir });
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
