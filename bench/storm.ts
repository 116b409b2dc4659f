/**
 * `npm run bench:storm`: what visitors of apps notice while strangers do nothing but shake hands, while many others
 * sign in, and while a provider that was away is asked about everybody at once. `--only handshakes,sign-ins,refreshes`;
 * `--apart 40`: a person each 40 ms. `--chain`: nginx and oauth2-proxy in Postern's place (they ask about nobody in the
 * background, so there is no wave of refreshes). `--as-installed`: on both cores with the workers that it starts by itself,
 * in place of one worker alone on one core. `--elsewhere`: the strangers and those who sign in come to another gateway on
 * the same cores, which says how much of it is the machine's. `bench/storm-due.ts` is the last of them with many more sessions.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { startCrowd } from '../test/support/crowd.ts';
import { startChainSite } from './support/chain-site.ts';
import { startStormSite, type StormSite } from './support/storm-site.ts';
import {
  BEHIND,
  createUnderLoad,
  GATEWAY_CORE,
  goBeforeOthers,
  LOAD_CORE,
  WINDOW_SECONDS,
} from './support/under-load.ts';

const { values: flags } = parseArgs({
  options: {
    people: { type: 'string', default: '1000' },
    rate: { type: 'string', default: '4000' },
    connections: { type: 'string', default: '20' },
    windows: { type: 'string', default: '5' },
    apart: { type: 'string', default: '0' },
    only: { type: 'string', default: 'handshakes,sign-ins,refreshes' },
    chain: { type: 'boolean', default: false },
    'as-installed': { type: 'boolean', default: false },
    elsewhere: { type: 'boolean', default: false },
  },
});
const people = Number(flags.people);
const rate = Number(flags.rate);
/** Milliseconds from one person to the next. */
const apart = Number(flags.apart);
const phases = flags.only.split(',').filter((phase) => phase !== 'refreshes' || !(flags.chain || flags.elsewhere));
/** A session is due so long after it was signed in or renewed: the quiet time fits between. */
const RECHECK_SECONDS = 120;
/** Connections that are opened, ask for one thing and are closed, as fast as it goes. */
const STRANGERS = 50;

goBeforeOthers();
const dir = mkdtempSync(join(tmpdir(), 'postern-bench-storm-'));
const start = flags.chain ? startChainSite : startStormSite;
const cores = flags['as-installed'] ? `${GATEWAY_CORE},${LOAD_CORE}` : GATEWAY_CORE;
const site = await start({ dir, people: 2 * people + 1, recheckSeconds: RECHECK_SECONDS, core: cores });
const { twin, origin } = site;
const other = flags.elsewhere ? await startOther() : site;
const crowd = await startCrowd(people, other.origin, { wrap: BEHIND });
// Until the code of a sign-in is compiled.
const first = await startCrowd(people, other.origin, { from: people + 1, wrap: BEHIND });
await first.enter('/');
first.close();
const someone = await startCrowd(1, origin, { from: people, wrap: BEHIND });
const wrong = await someone.enter('/');
if (wrong.length > 0) throw new Error(`Cannot sign in: ${wrong[0]}`);
const [cookie = ''] = await someone.cookies();
const load = await createUnderLoad({
  url: `${origin}/`,
  cookie,
  perSecond: rate,
  connections: Number(flags.connections),
  dir,
  pid: site.pid,
  alone: !flags['as-installed'],
});
const someWindows = (): Promise<unknown> => sleep(Number(flags.windows) * WINDOW_SECONDS * 1_000);
const seconds = (from: number): number => (Date.now() - from) / 1_000;

await load.quiet(`${rate} requests/s, nobody else`, someWindows());
if (phases.includes('handshakes')) await shakeHands();
if (phases.includes('sign-ins') || phases.includes('refreshes')) await signIn();
if (phases.includes('refreshes')) await refresh();
load.close();
crowd.close();
someone.close();
await site.close();
if (other !== site) await other.close();
rmSync(dir, { recursive: true, force: true });
process.exit(0);

function startOther(): Promise<StormSite> {
  const folder = join(dir, 'other');
  mkdirSync(folder);
  return start({ dir: folder, people: 2 * people + 1, recheckSeconds: RECHECK_SECONDS, core: cores });
}

async function shakeHands(): Promise<void> {
  const before = await other.handshakes();
  const started = Date.now();
  const [command = '', ...rest] = BEHIND;
  const args = [`-c${STRANGERS}`, '-t1', '-d60s', '-H', 'Connection: close', '-H', 'Accept: application/json'];
  const flood = spawn(command, [...rest, 'wrk', ...args, `${other.origin}/`], { stdio: 'ignore' });
  await load.during('strangers shake hands as fast as it goes', someWindows());
  const count = (await other.handshakes()) - before;
  console.log(`  ${(count / seconds(started)).toFixed(0)} handshakes/s, each with a request that is refused`);
  flood.kill();
  await once(flood, 'exit');
}

async function signIn(): Promise<void> {
  const started = Date.now();
  const entered = crowd.enter('/', apart).then((failed) => ({ failed, took: seconds(started) }));
  await load.during(
    apart === 0 ? `${people} sign in at once` : `${people} sign in, one each ${apart} ms`,
    entered,
    ({ failed, took }) =>
      `not signed in ${failed.length}${failed.length > 0 ? ` (${failed[0]})` : ''}, the last after ${took.toFixed(1)} s`,
  );
}

async function refresh(): Promise<void> {
  await load.quiet(`${people} are in, nobody is due`, someWindows());
  await twin.tell({ kind: 'stop' });
  // What nobody uses is not renewed.
  await sleep((RECHECK_SECONDS / 2) * 1_000);
  await crowd.come('/');
  await sleep((RECHECK_SECONDS / 2 + 5) * 1_000);
  await load.during('the provider is away, everybody is due', someWindows());
  const before = (await twin.tell({ kind: 'start' })).refreshed;
  const refreshed = async (): Promise<number> => (await twin.tell({ kind: 'look' })).refreshed - before;
  while ((await refreshed()) === 0) await sleep(50);
  const started = Date.now();
  const all = (async (): Promise<number> => {
    while ((await refreshed()) < people && seconds(started) < 180) await sleep(200);
    return seconds(started);
  })();
  await load.during('it is back: everybody is asked about', all, (took) => `after ${took.toFixed(1)} s`);
  await load.during('nobody is due any more', someWindows());
  const { most, reused } = await twin.tell({ kind: 'look' });
  console.log(`  ${await refreshed()} refreshes, at most ${most} a session, tokens used twice ${reused}`);
}
