/** Runs one configuration on one program, or on both side by side, and answers what was seen by case. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeCertificate } from '../../transport-rig.ts';
import { freePorts } from '../../support/free-ports.ts';
import { accepts, startProgram, until } from '../../support/programs.ts';
import type { Program } from '../../support/programs.ts';
import { BASE } from './configuration.ts';
import type { Configuration } from './configuration.ts';
import type { Observation } from './observation.ts';
import { startIn } from './programs.ts';
import type { ProgramName } from './programs.ts';
import type { Provider } from './provider.ts';
import { createSide } from './side.ts';
import type { Side } from './side.ts';
import type { Start } from './starts.ts';
import { startUpstream } from './upstream.ts';
import type { Received } from './upstream.ts';

/** Case -> label of the step -> facets. */
export type Seen = ReadonlyMap<string, ReadonlyMap<string, Observation>>;

/** What both programs share. */
export interface Around {
  readonly provider: Provider;
}

/** A folder, ports and applications of one program, and its settings filled in with them. */
async function prepare(
  name: ProgramName,
  settings: Pick<Configuration, 'env' | 'args' | 'files' | 'peers'>,
  around: Around,
) {
  const dir = mkdtempSync(join(tmpdir(), `${name}-`));
  const upstream = await startUpstream();
  const socketApp = await startUpstream({ socketPath: join(dir, 'app.sock') });
  const certificate = makeCertificate('/CN=localhost', 'DNS:localhost');
  const tlsApp = await startUpstream({ tls: certificate });
  const [port = 0, metricsPort = 0, redisPort = 0] = await freePorts(3);
  const redis = settings.peers?.includes('redis-server') === true ? await startRedis(redisPort, dir) : null;
  const fill = (text: string): string =>
    text
      .replaceAll('{app}', `http://127.0.0.1:${upstream.port}`)
      .replaceAll('{tls-app}', `https://localhost:${tlsApp.port}`)
      .replaceAll('{socket}', join(dir, 'app.sock'))
      .replaceAll('{issuer}', around.provider.issuer)
      .replaceAll('{redis}', `redis://127.0.0.1:${redisPort}/0`)
      .replaceAll('{dir}', dir)
      .replaceAll('{metrics}', String(metricsPort))
      .replaceAll('{port}', String(port));
  const env = Object.entries({ ...BASE, ...settings.env }).flatMap(([key, value]) =>
    value === null ? [] : [[`OAUTH2_PROXY_${key}`, fill(value)] as const],
  );
  const files = Object.entries(settings.files ?? {}).map(([file, text]) => [file, fill(text)] as const);
  const take = (): Received[] => [...upstream.take(), ...socketApp.take(), ...tlsApp.take()];
  return {
    dir,
    port,
    metricsPort,
    stopStore: async (): Promise<void> => redis?.stop(),
    upstream: { ...upstream, take },
    settings: {
      env: Object.fromEntries(env),
      files: Object.fromEntries(files),
      args: (settings.args ?? []).map(fill),
      port,
    },
    close: async (): Promise<void> => {
      await redis?.stop();
      await upstream.close();
      await socketApp.close();
      await tlsApp.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

export async function runOn(name: ProgramName, configuration: Configuration, around: Around): Promise<Seen> {
  const { dir, port, metricsPort, upstream, settings, stopStore, close } = await prepare(name, configuration, around);
  if (configuration.tls === true) {
    const { cert, key } = makeCertificate('/CN=app.example.com', 'DNS:app.example.com');
    Object.assign(settings.files, { 'cert.pem': cert, 'key.pem': key });
  }
  try {
    const program = await startIn(name, dir, settings);
    if ('refused' in program) throw new Error(`Cannot start ${name} for "${configuration.name}":\n${program.refused}`);
    const places = {
      port,
      metricsPort,
      upstreamPort: upstream.port,
      issuer: around.provider.issuer,
      dir,
      prefix: configuration.env['PROXY_PREFIX'] ?? '/oauth2',
      cookie: configuration.env['COOKIE_NAME'] ?? '_oauth2_proxy',
    };
    const { idToken } = around.provider;
    const side = createSide({ places, upstream, program, tls: configuration.tls ?? false, idToken, stopStore });
    try {
      return await runCases(configuration.cases, side);
    } finally {
      await program.stop();
      if (process.env['POSTERN_SHOW_LOG'] !== undefined) console.error(program.output());
    }
  } finally {
    await close();
  }
}

async function runCases(cases: Configuration['cases'], side: Side): Promise<Seen> {
  const seen = new Map<string, ReadonlyMap<string, Observation>>();
  for (const { id, run } of cases) {
    await run(side).catch((error: unknown) => {
      side.noteFact('failed', error instanceof Error ? error.message : String(error));
    });
    seen.set(id, side.takeNotes());
  }
  return seen;
}

async function startRedis(port: number, dir: string): Promise<Program> {
  const redis = startProgram('redis-server', [
    '--port',
    String(port),
    '--bind',
    '127.0.0.1',
    '--save',
    '',
    '--dir',
    dir,
  ]);
  await until(() => accepts(port), 'Redis listens');
  return redis;
}

/** Whether a program runs with the settings, and what it printed. */
export async function tryStart(
  name: ProgramName,
  start: Start,
  around: Around,
): Promise<{ starts: boolean; output: string }> {
  const { dir, settings, close } = await prepare(name, start, around);
  try {
    const program = await startIn(name, dir, settings);
    if ('refused' in program) return { starts: false, output: program.refused };
    await program.stop();
    return { starts: true, output: program.output() };
  } finally {
    await close();
  }
}
