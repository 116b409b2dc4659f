/** Real name servers for suites: BIND, Knot and PowerDNS, each in a folder of its own on addresses of loopback. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { createAskServer } from '../../src/certs/dns/transport.ts';
import { TYPE } from '../../src/certs/dns/message.ts';
import { freePorts } from './free-ports.ts';
import { findPeer } from './peers.ts';
import { createTimeLimit } from './time-limit.ts';

export interface NameServerProcess {
  readonly address: string;
  readonly port: number;
  readonly close: () => Promise<void>;
}

export const TSIG_SECRET: string = randomBytes(32).toString('base64');

/** Free for UDP and TCP on this address. */
export async function freeDnsPort(address: string): Promise<number> {
  const [port = 0] = await freePorts(1);
  const socket = createSocket('udp4');
  await new Promise<void>((resolve, reject) => void socket.once('error', reject).bind(port, address, resolve));
  await new Promise<void>((resolve) => void socket.close(resolve));
  return port;
}

function zoneFile(name: string, records: string): string {
  return `$ORIGIN ${name}.\n$TTL 60\n@ SOA ns1.${name}. admin.${name}. 1 60 5 3600 1\n@ NS ns1.${name}.\n${records.includes('ns1 A') ? '' : 'ns1 A 127.0.0.1\n'}${records}\n`;
}

export interface ZoneInput {
  readonly name: string;
  /** More of the zone file. */
  readonly records?: string;
}

/** BIND as primary of the zones. It listens on addresses of interfaces alone, so on 127.0.0.1; notifies and serves a secondary at the address. */
export async function startBind(
  zones: readonly ZoneInput[],
  where: { readonly address: string; readonly port: number; readonly secondary?: string },
): Promise<NameServerProcess> {
  const folder = mkdtempSync(join(tmpdir(), 'postern-bind-'));
  const { address, port, secondary } = where;
  const blocks = zones.map(({ name, records = '' }) => {
    writeFileSync(join(folder, `${name}.zone`), zoneFile(name, records));
    return `zone "${name}" { type primary; file "${name}.zone"; update-policy { grant postern zonesub TXT; }; };`;
  });
  writeFileSync(
    join(folder, 'named.conf'),
    `options {
  directory "${folder}"; pid-file "${folder}/named.pid"; session-keyfile "${folder}/session.key"; lock-file none;
  listen-on port ${port} { ${address}; }; listen-on-v6 { none; };
  recursion no; dnssec-validation no; allow-transfer { any; }; notify ${secondary === undefined ? 'no' : 'explicit'};
  ${secondary === undefined ? '' : `also-notify { ${secondary} port ${port}; }; notify-delay 0;`}
};
controls { };
key "postern" { algorithm hmac-sha256; secret "${TSIG_SECRET}"; };
key "reader" { algorithm hmac-sha256; secret "${TSIG_SECRET}"; };
${blocks.join('\n')}
`,
  );
  const child = spawn(findPeer('named') ?? 'named', ['-g', '-c', join(folder, 'named.conf'), '-n', '1'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  return started(child, { ...where, folder, zone: zones[0]?.name ?? '' });
}

/** Knot as primary of some zones and secondary of others. */
export async function startKnot(
  zones: { readonly primary: readonly string[]; readonly secondary: readonly string[] },
  where: { readonly address: string; readonly port: number; readonly master: string },
): Promise<NameServerProcess> {
  const folder = mkdtempSync(join(tmpdir(), 'postern-knot-'));
  const { address, port, master } = where;
  for (const name of zones.primary) writeFileSync(join(folder, `${name}.zone`), zoneFile(name, ''));
  const primary = zones.primary.map((name) => `  - domain: ${name}\n    acl: update\n`);
  const secondary = zones.secondary.map((name) => `  - domain: ${name}\n    master: primary\n    acl: notify\n`);
  writeFileSync(
    join(folder, 'knot.conf'),
    `server:\n    rundir: ${folder}\n    listen: ${address}@${port}\n    tcp-workers: 1\n    udp-workers: 1\n    background-workers: 1\n` +
      `log:\n  - target: stderr\n    any: info\ndatabase:\n    storage: ${folder}\n    journal-db-max-size: 16M\n    timer-db-max-size: 4M\n    kasp-db-max-size: 8M\n` +
      `key:\n  - id: postern\n    algorithm: hmac-sha512\n    secret: ${TSIG_SECRET}\n` +
      `remote:\n  - id: primary\n    address: ${master}@${port}\n` +
      `acl:\n  - id: update\n    key: postern\n    action: update\n    update-type: [TXT]\n  - id: notify\n    address: ${master}\n    action: notify\n` +
      `template:\n  - id: default\n    storage: ${folder}\n    zonefile-sync: -1\n    zonefile-load: difference-no-serial\n    journal-content: all\n    journal-max-usage: 4M\n` +
      `zone:\n${primary.join('')}${secondary.join('')}`,
  );
  const child = spawn(findPeer('knotd') ?? 'knotd', ['-c', join(folder, 'knot.conf')], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  return started(child, { ...where, folder, zone: zones.primary[0] ?? zones.secondary[0] ?? '' });
}

export interface PowerDnsProcess extends NameServerProcess {
  readonly url: string;
  readonly apiKey: string;
}

const SCHEMA = '/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql';

export async function startPowerDns(
  zones: readonly string[],
  where: { readonly address: string; readonly port: number },
): Promise<PowerDnsProcess> {
  const folder = mkdtempSync(join(tmpdir(), 'postern-pdns-'));
  const { address, port } = where;
  const web = await freeDnsPort(address);
  const apiKey = randomBytes(16).toString('hex');
  const database = new DatabaseSync(join(folder, 'pdns.sqlite3'));
  database.exec(readFileSync(SCHEMA, 'utf8'));
  database.close();
  mkdirSync(join(folder, 'run'));
  const options = [
    ['config-dir', folder],
    ['daemon', 'no'],
    ['guardian', 'no'],
    ['launch', 'gsqlite3'],
    ['gsqlite3-database', join(folder, 'pdns.sqlite3')],
    ['local-address', address],
    ['local-port', String(port)],
    ['socket-dir', join(folder, 'run')],
    ['api', 'yes'],
    ['api-key', apiKey],
    ['webserver', 'yes'],
    ['webserver-address', address],
    ['webserver-port', String(web)],
    ['webserver-allow-from', '127.0.0.0/8'],
    ['cache-ttl', '0'],
    ['query-cache-ttl', '0'],
    ['negquery-cache-ttl', '0'],
    ['zone-cache-refresh-interval', '0'],
    ['receiver-threads', '1'],
    ['distributor-threads', '1'],
  ];
  writeFileSync(join(folder, 'pdns.conf'), '');
  const child = spawn(
    findPeer('pdns_server') ?? 'pdns_server',
    options.map(([name, value]) => `--${name}=${value}`),
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  const url = `http://${address}:${web}`;
  await untilTrue(
    async () => (await fetch(`${url}/api/v1/servers/localhost`, { headers: { 'x-api-key': apiKey } })).ok,
  );
  for (const zone of zones) {
    const body = JSON.stringify({ name: `${zone}.`, kind: 'Native', nameservers: [`ns1.${zone}.`] });
    const answer = await fetch(`${url}/api/v1/servers/localhost/zones`, {
      method: 'POST',
      headers: { 'x-api-key': apiKey, 'content-type': 'application/json' },
      body,
    });
    if (!answer.ok) throw new Error(`PowerDNS does not take the zone: ${await answer.text()}`);
  }
  const process = await started(child, { ...where, folder, zone: zones[0] ?? '' });
  return { ...process, url, apiKey };
}

interface Start {
  readonly address: string;
  readonly port: number;
  readonly folder: string;
  readonly zone: string;
}

async function started(child: ChildProcess, { address, port, folder, zone }: Start): Promise<NameServerProcess> {
  let log = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    log = (log + chunk.toString()).slice(-4000);
  });
  const ended = new Promise<void>((resolve) => void child.once('exit', () => resolve()));
  const close = async (): Promise<void> => {
    child.kill('SIGKILL');
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  const ask = createAskServer({ timeoutMs: 2_000 });
  const signal = AbortSignal.timeout(40_000);
  try {
    await untilTrue(async () => {
      if (child.exitCode !== null) throw new AggregateError([], `the name server ended: ${log}`);
      const { isAuthoritative } = await ask(
        { address, port },
        { name: zone, type: TYPE.SOA, recursion: false },
        signal,
      );
      return isAuthoritative;
    });
  } catch (error) {
    await close();
    throw new Error(`the name server does not answer: ${log}`, { cause: error });
  }
  return { address, port, close };
}

async function untilTrue(check: () => Promise<boolean>): Promise<void> {
  const isOver = createTimeLimit(40_000);
  for (;;) {
    const isTrue = await check().catch((error: unknown) => {
      if (error instanceof AggregateError || isOver()) throw error;
      return false;
    });
    if (isTrue) return;
    if (isOver()) throw new Error('it did not come up within 40 s');
    await new Promise((resolve) => void setTimeout(resolve, 50));
  }
}

/** The TXT values that a server gives for a name. */
export async function txtAt({ address, port }: NameServerProcess, name: string): Promise<readonly string[]> {
  const ask = createAskServer({ timeoutMs: 20_000 });
  const { answers } = await ask(
    { address, port },
    { name, type: TYPE.TXT, recursion: false },
    AbortSignal.timeout(40_000),
  );
  return answers.flatMap(({ text }) => (text === null ? [] : [text]));
}
