/**
 * Compares working trees of Postern with each other and with nginx on a machine that is not quiet: short
 * turns of load, there and back, CPU per request in windows of 100 ms. Of these the half in which the gateway
 * waited least for its core, and of all the least disturbed tenth, quarter and half. Requests are counted by the
 * app behind them all. `--differing`: another target in each request, as browsers send. Give a tree twice: two
 * processes of one tree differ. Run: npm run bench:compare -- before=../other after=. again=.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { freePorts } from '../test/support/free-ports.ts';
import { startApp } from './support/app.ts';
import { makeCertificate } from './support/certificate.ts';
import { loadHttp1 } from './support/load.ts';
import { PEERS } from './support/peers.ts';
import { processTree } from './support/process-cpu.ts';
import { stop, waitForPort } from './support/processes.ts';
import { calmHalf, median, watch } from './support/windows.ts';
import type { PosternSite } from './support/postern.ts';
import type { Site } from './support/peers.ts';
import type { Window } from './support/windows.ts';

const GATEWAY_CORE = 0;
const LOAD_CORE = 1;
const DIFFERING = join(import.meta.dirname, 'support/differing.lua');

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    differing: { type: 'boolean', default: false },
    turns: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '2' },
  },
});

interface Contender {
  readonly name: string;
  readonly pids: () => readonly number[];
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly close: () => Promise<unknown>;
  readonly windows: Window[];
}

type Ground = Omit<Site, 'httpsPort'>;

async function startTree(name: string, tree: string, ground: Ground): Promise<Contender> {
  const file = pathToFileURL(join(resolve(tree), 'bench/support/postern.ts')).href;
  const { startPosternSite } = (await import(file)) as { startPosternSite: (site: Ground) => Promise<PosternSite> };
  const { process: postern, httpsPort, cookie } = await startPosternSite(ground);
  const pids = (): readonly number[] => processTree(postern.child.pid ?? 0);
  const url = `https://localhost:${httpsPort}/`;
  return { name, pids, url, headers: { Cookie: cookie }, close: () => postern.close(), windows: [] };
}

async function startNginx(ground: Ground): Promise<Contender> {
  const [httpsPort = 0] = await freePorts(1);
  const child = PEERS.find((peer) => peer.name === 'nginx')?.start({ ...ground, httpsPort });
  if (child === undefined) throw new Error('Cannot compare: nginx is not among the peers');
  await waitForPort(httpsPort);
  const url = `https://localhost:${httpsPort}/`;
  return {
    name: 'nginx',
    pids: () => processTree(child.pid ?? 0),
    url,
    headers: {},
    close: () => stop(child),
    windows: [],
  };
}

async function takeTurn({ pids, url, headers, windows }: Contender, dir: string, statusPort: number): Promise<void> {
  const load = { url, headers, connections: 64, seconds: Number(flags.seconds), core: LOAD_CORE, dir };
  const script = flags.differing ? { script: DIFFERING } : {};
  windows.push(...(await watch(pids(), statusPort, () => loadHttp1({ ...load, ...script }))).windows);
}

function quantile(values: readonly number[], share: number): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length * share)] ?? Number.NaN;
}

function print(contenders: readonly Contender[]): void {
  const row = (what: string, microsOf: (one: Contender) => number): void => {
    const nginx = microsOf(contenders.at(-1) as Contender);
    const cells = contenders.map((one) => {
      const micros = microsOf(one);
      return `${one.name} ${micros.toFixed(1)} µs (${(micros / nginx).toFixed(2)}x)`;
    });
    console.log(`${what}:  ${cells.join('   ')}`);
  };
  row('calm half, median', ({ windows }) => median(calmHalf(windows).map(({ micros }) => micros)));
  for (const share of [0.1, 0.25, 0.5]) {
    row(`least disturbed ${share * 100} %`, ({ windows }) =>
      quantile(
        windows.map(({ micros }) => micros),
        share,
      ),
    );
  }
  const waits = contenders.map(({ name, windows }) => {
    const waited = median(calmHalf(windows).map((one) => one.waited));
    return `${name} ${(waited * 100).toFixed(1)} %`;
  });
  console.log(`waited for the core in the calm half:  ${waits.join('   ')}`);
}

// What counts requests and reads /proc must not stand in the gateways' way.
execFileSync('taskset', ['-acp', String(LOAD_CORE), String(process.pid)], { stdio: 'ignore' });
const dir = mkdtempSync(join(tmpdir(), 'postern-compare-'));
const [appPort = 0, statusPort = 0] = await freePorts(2);
const app = await startApp(join(dir, 'app'), appPort, LOAD_CORE, statusPort);
const files = makeCertificate(dir, ['localhost']);
const groundOf = (name: string): Ground => {
  const own = join(dir, name);
  mkdirSync(own);
  return { dir: own, appPort, core: GATEWAY_CORE, ...files };
};
const contenders: Contender[] = [];
for (const argument of positionals) {
  const [name = '', tree = '.'] = argument.split('=');
  contenders.push(await startTree(name, tree, groundOf(name)));
}
contenders.push(await startNginx(groundOf('nginx')));
for (const one of contenders) await takeTurn({ ...one, windows: [] }, dir, statusPort);
for (let turn = 0; turn < Number(flags.turns); turn++)
  for (const one of turn % 2 === 0 ? contenders : contenders.toReversed()) await takeTurn(one, dir, statusPort);
print(contenders);
for (const one of contenders) await one.close();
await stop(app);
rmSync(dir, { recursive: true, force: true });
process.exit(0);
