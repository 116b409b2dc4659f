/** Real Redis for tests: one server, a master with replicas and sentinels, a cluster; all on 127.0.0.1, without files. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findPeer } from './peers.ts';
import { freePorts } from './free-ports.ts';
import { startProgram, until, whileAlive } from './programs.ts';
import type { Program } from './programs.ts';

const run = promisify(execFile);

export interface RedisServer {
  readonly port: number;
  readonly program: Program;
  /** Runs `redis-cli ARGS` at it. */
  readonly cli: (...args: readonly string[]) => Promise<string>;
  /** Stops it, however it was left. */
  readonly stop: () => Promise<void>;
}

export interface RedisOptions {
  readonly port?: number;
  readonly args?: readonly string[];
  /** What redis-cli needs besides the port. */
  readonly cliArgs?: readonly string[];
  /** Where it keeps its data; left out: nowhere. */
  readonly dir?: string;
}

export async function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
  const [port = 0] = options.port === undefined ? await freePorts(1) : [options.port];
  // A replica writes what it gets to its folder first, and any server begins with a dump that lies there.
  const dir = options.dir ?? mkdtempSync(join(tmpdir(), 'postern-redis-'));
  const kept = options.dir === undefined ? ['--save', '', '--appendonly', 'no'] : [];
  const program = startProgram('redis-server', [
    '--port',
    String(port),
    '--bind',
    '127.0.0.1',
    '--dir',
    dir,
    ...kept,
    ...(options.args ?? []),
  ]);
  const cli = redisCli(port, options.cliArgs);
  await whileAlive(program, async () => /PONG/.test(await cli('ping').catch(() => '')), `Redis on ${port}`);
  return {
    port,
    program,
    cli,
    async stop() {
      // A process that was halted takes no SIGTERM.
      program.child.kill('SIGCONT');
      await program.stop();
      if (options.dir === undefined) rmSync(dir, { recursive: true, force: true });
    },
  };
}

function redisCli(port: number, more: readonly string[] = []): RedisServer['cli'] {
  return async (...args) => {
    const all = ['-h', '127.0.0.1', '-p', String(port), '--no-auth-warning', ...more, ...args];
    const { stdout } = await run(findPeer('redis-cli') ?? 'redis-cli', all, { timeout: 30_000 });
    return stdout.trim();
  };
}

export interface Replicated {
  readonly servers: readonly RedisServer[];
  readonly sentinelPorts: readonly number[];
  readonly masterName: string;
  /** What the sentinels have said. */
  readonly log: () => string;
  readonly stop: () => Promise<void>;
}

/** A master, a replica and three sentinels that fail over after four seconds: by less, a busy machine is a dead master. */
export async function startReplicated(password: string): Promise<Replicated> {
  const dir = mkdtempSync(join(tmpdir(), 'postern-sentinel-'));
  const secret = ['--requirepass', password, '--masterauth', password];
  const cliArgs = ['-a', password];
  const master = await startRedis({ args: secret, cliArgs });
  const args = [...secret, '--replicaof', `127.0.0.1 ${master.port}`];
  const replica = await startRedis({ args, cliArgs });
  await until(async () => /master_link_status:up/.test(await replica.cli('info', 'replication')), 'the replica');
  const masterName = 'main';
  const sentinelPorts = await freePorts(3);
  const sentinels = sentinelPorts.map((port) => {
    const file = join(dir, `sentinel-${port}.conf`);
    const lines = [
      `port ${port}`,
      'bind 127.0.0.1',
      `dir ${dir}`,
      `sentinel monitor ${masterName} 127.0.0.1 ${master.port} 2`,
      `sentinel auth-pass ${masterName} ${password}`,
      `sentinel down-after-milliseconds ${masterName} 4000`,
      `sentinel failover-timeout ${masterName} 8000`,
    ];
    writeFileSync(file, `${lines.join('\n')}\n`);
    return startProgram('redis-server', [file, '--sentinel']);
  });
  const log = (): string => sentinels.map((one, i) => `sentinel ${sentinelPorts[i]}:\n${one.output()}`).join('\n');
  for (const [i, port] of sentinelPorts.entries()) {
    const cli = redisCli(port);
    // A machine that halts us all for two seconds has no broken clock: no sentinel is to do nothing for half a minute.
    const isUp = async (): Promise<boolean> => /OK/.test(await cli('sentinel', 'debug', 'tilt-trigger', '60000'));
    await whileAlive(sentinels[i] as Program, () => isUp().catch(() => false), `sentinel ${port}`);
  }
  for (const [i, port] of sentinelPorts.entries()) {
    const isReady = (): Promise<boolean> => canFailOver(redisCli(port), masterName).catch(() => false);
    await whileAlive(sentinels[i] as Program, isReady, () => `what sentinel ${port} must know\n${log()}`);
  }
  return {
    servers: [master, replica],
    sentinelPorts,
    masterName,
    log,
    async stop() {
      await Promise.all(sentinels.map((one) => one.stop()));
      await Promise.all([master.stop(), replica.stop()]);
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** It reaches the two others, and has heard of a replica from itself that it is fit. */
async function canFailOver(cli: RedisServer['cli'], masterName: string): Promise<boolean> {
  const quorum = await cli('sentinel', 'ckquorum', masterName);
  const master = await cli('sentinel', 'master', masterName);
  const replicas = await cli('sentinel', 'replicas', masterName);
  return (
    quorum.startsWith('OK 3 ') &&
    /^num-slaves\s1$/m.test(master) &&
    /^master-link-status\sok$/m.test(replicas) &&
    /^flags\sslave$/m.test(replicas)
  );
}

export interface RedisCluster {
  readonly servers: readonly RedisServer[];
  readonly stop: () => Promise<void>;
}

/** Three masters that share the slots. */
export async function startCluster(): Promise<RedisCluster> {
  const dir = mkdtempSync(join(tmpdir(), 'postern-cluster-'));
  const ports = await freePorts(6);
  const start = (i: number): Promise<RedisServer> => {
    const port = ports[i] as number;
    const args = ['--cluster-enabled', 'yes', '--cluster-config-file', join(dir, `nodes-${port}.conf`)];
    // By less, a node that a busy machine or disk holds up takes the whole cluster down.
    const timing = ['--cluster-node-timeout', '5000', '--cluster-port', String(ports[i + 3])];
    return startRedis({ port, args: [...args, ...timing] });
  };
  const servers = await Promise.all([start(0), start(1), start(2)]);
  const addresses = servers.map((server) => `127.0.0.1:${server.port}`);
  await servers[0].cli('--cluster', 'create', ...addresses, '--cluster-replicas', '0', '--cluster-yes');
  for (const server of servers)
    await until(async () => /cluster_state:ok/.test(await server.cli('cluster', 'info')), 'the cluster');
  return {
    servers,
    async stop() {
      await Promise.all(servers.map((server) => server.stop()));
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
