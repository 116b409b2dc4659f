/**
 * `npm run bench:storm-due`: a provider was away until 100 000 sessions were due, and is back. What a visitor of an
 * app notices from then on, and how many are asked about in a second; with `--to-end` until all of them were.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { createSealKey } from '../src/session/seal.ts';
import { createSessions } from '../src/session/sessions.ts';
import { sessionCookieName } from '../src/session/token.ts';
import { openStore } from '../src/store/sqlite.ts';
import { membersOf } from '../test/support/crowd.ts';
import { startStormSite } from './support/storm-site.ts';
import { createUnderLoad, GATEWAY_CORE, goBeforeOthers, WINDOW_SECONDS } from './support/under-load.ts';
import type { Person } from '../src/core/person.ts';
import type { Grant } from '../src/session/record.ts';
import type { Member } from '../test/support/crowd.ts';
import type { TwinControl, TwinState } from './support/twin-control.ts';

const { values: flags } = parseArgs({
  options: {
    sessions: { type: 'string', default: '100000' },
    rate: { type: 'string', default: '4000' },
    seconds: { type: 'string', default: '30' },
    'to-end': { type: 'boolean', default: false },
  },
});
const count = Number(flags.sessions);
/** Nobody is due twice. */
const RECHECK_SECONDS = 7_200;
const AGO_MS = 3_600_000;
const AT_ONCE = 500;

const toEnd = flags['to-end'];
// Hours of it are not for the whole machine to wait for.
if (!toEnd) goBeforeOthers();
/** Of somebody who signed in elsewhere, and is not asked about. */
let cookie = '';
const dir = mkdtempSync(join(tmpdir(), 'postern-bench-due-'));
const site = await startStormSite({
  dir,
  people: count,
  recheckSeconds: RECHECK_SECONDS,
  core: GATEWAY_CORE,
  prepare: fill,
});
const { twin, origin } = site;
const load = await createUnderLoad({
  url: `${origin}/`,
  cookie,
  perSecond: Number(flags.rate),
  connections: 20,
  dir,
  pid: site.pid,
});
await load.quiet('the provider is away, everybody is due', sleep(4.5 * WINDOW_SECONDS * 1_000));
await twin.tell({ kind: 'start' });
const refreshed = async (): Promise<number> => (await twin.tell({ kind: 'look' })).refreshed;
while ((await refreshed()) === 0) await sleep(50);
const started = Date.now();
await load.during('it is back', sleep(Number(flags.seconds) * 1_000));
const took = (Date.now() - started) / 1_000;
const after = await refreshed();
console.log(`  ${after} refreshes in ${took.toFixed(1)} s, ${(after / took).toFixed(0)} a second`);
if (toEnd) {
  for (let last = -1, now = await refreshed(); now > last; now = await refreshed()) {
    last = now;
    await sleep(10_000);
  }
}
const { refreshed: all, most, reused } = await twin.tell({ kind: 'look' });
console.log(
  `  of ${count} sessions ${all} were asked about by now, at most ${most} times each, tokens used twice ${reused}`,
);
load.close();
await site.close();
rmSync(dir, { recursive: true, force: true });
process.exit(0);

/** Sessions as if people had signed in an hour ago, and were there a moment ago. */
async function fill(dataDir: string, control: TwinControl, { issuer }: TwinState): Promise<void> {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const { tokens } = await control.tell({ kind: 'tokens', count });
  await control.tell({ kind: 'stop' });
  const store = openStore(dataDir);
  const openedAt = Date.now() - AGO_MS;
  const sessions = createSessions({
    store: store.sessions,
    clock: { now: () => openedAt },
    sealKey: createSealKey(store.sealKey),
    limits: () => ({ lifetimeMs: 12 * AGO_MS, idleMs: 2 * AGO_MS }),
  });
  const open = async (member: Member, grant: Grant | null): Promise<string> => {
    const parent = await sessions.openSignIn(personOf(member), 'auth.localhost', { authority: issuer, grant });
    const child = await sessions.openChild(parent.view.key, 'localhost');
    return child?.token ?? '';
  };
  const members = membersOf(count + 1);
  const last = members.at(-1);
  const name = sessionCookieName(store.instance, { secure: true, domain: null });
  if (last !== undefined) cookie = `${name}=${await open(last, null)}`;
  for (let from = 0; from < count; from += AT_ONCE) {
    const batch = members.slice(from, Math.min(from + AT_ONCE, count)).map((member, i) => {
      const value = { accessToken: null, refreshToken: tokens[from + i] ?? '', idToken: null, expiresAt: null };
      return open(member, { value, refreshAt: openedAt + 1 });
    });
    await Promise.all(batch);
  }
  store.close();
  const db = new DatabaseSync(join(dataDir, 'postern.db'));
  db.prepare('UPDATE sign_ins SET last_seen_at = ?').run(Date.now());
  db.close();
}

function personOf({ name, subject, groups }: Member): Person {
  // As a sign-in by this provider leaves it: what it says again is no news.
  const none = { email: null, emailVerified: false, roles: [], unsaid: ['roles'], amr: [] } as const;
  return { provider: 'twin', subject, name, displayName: `The ${name}`, groups, ...none };
}
