/**
 * Many sessions in a real store, all due while their provider pauses: when it is back each is asked about
 * once, by its own tokens, and each goes on as who it was. In one process: what visitors notice meanwhile is measured by
 * `npm run bench:storm-due`. POSTERN_SESSIONS sets how many there are (100000: 80 s).
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { createSealKey } from '../../../src/session/seal.ts';
import { createSessions, type Sessions } from '../../../src/session/sessions.ts';
import { readGrant, type Provider, type ProviderGrant } from '../../../src/sign-in/provider.ts';
import { createRefresher } from '../../../src/sign-in/refresher.ts';
import { openStore } from '../../../src/store/sqlite.ts';
import type { Person } from '../../../src/core/person.ts';

const COUNT = Number(process.env['POSTERN_SESSIONS'] ?? 25_000);
const AT_ONCE = 1_000;
const RECHECK_MS = 300_000;

const personOf = (at: number, groups: readonly string[] = ['/before']): Person => ({
  provider: 'keycloak',
  subject: `s-${at}`,
  name: `p${at}`,
  displayName: `Person ${at}`,
  email: null,
  emailVerified: false,
  groups,
  roles: [],
  amr: ['pwd'],
});
const grantOf = (subject: string, turn: number): ProviderGrant => ({
  accessToken: `a-${subject}-${turn}`,
  refreshToken: `r-${subject}-${turn}`,
  idToken: null,
  expiresAt: null,
});

suite(`${COUNT} sessions`, { timeout: 900_000 }, () => {
  const clock = { at: Date.now(), now: () => clock.at };
  const dir = mkdtempSync(join(tmpdir(), 'postern-sessions-'));
  const store = openStore(dir);
  const keys: string[] = [];
  let sessions: Sessions;

  before(async () => {
    const limits = { lifetimeMs: 12 * 3_600_000, idleMs: 6 * 3_600_000 };
    sessions = createSessions({
      store: store.sessions,
      clock,
      sealKey: createSealKey(store.sealKey),
      limits: () => limits,
    });
    for (let from = 0; from < COUNT; from += AT_ONCE) {
      const some = Array.from({ length: Math.min(AT_ONCE, COUNT - from) }, (_, at) => from + at);
      const opened = await Promise.all(
        some.map((at) =>
          sessions.openSignIn(personOf(at), 'auth.example.com', {
            authority: 'issuer',
            grant: { value: grantOf(`s-${at}`, 0), refreshAt: clock.at + RECHECK_MS },
          }),
        ),
      );
      keys.push(...opened.map(({ view }) => view.key));
    }
    // Everybody comes once more: nobody is asked about who does not.
    clock.at += 1_000;
    sessions.touch(keys.map((key) => [key, clock.at] as const));
    await sessions.flush();
  });
  after(() => {
    store.close();
    rmSync(dir, { recursive: true, force: true });
  });

  test('a provider that was away until all were due is asked once about each, and nobody is signed out', async () => {
    const state = { isAway: true, refused: 0, strange: 0 };
    const asked = new Map<string, number>();
    const provider = {
      id: 'keycloak',
      authority: 'issuer',
      async refresh(person: Person, grant: ProviderGrant) {
        await Promise.resolve();
        if (state.isAway) {
          state.refused++;
          return { kind: 'unavailable', message: 'no answer' };
        }
        if (grant.refreshToken !== `r-${person.subject}-0`) state.strange++;
        asked.set(person.subject, (asked.get(person.subject) ?? 0) + 1);
        return {
          kind: 'known',
          person: { ...person, groups: ['/after'] },
          grant: grantOf(person.subject, 1),
          refreshAt: clock.at + RECHECK_MS,
          notes: [],
        };
      },
    } as unknown as Provider;
    const refresher = createRefresher({
      clock,
      sessions,
      providers: { list: () => [provider], find: (id) => (id === provider.id ? provider : null) },
      admit: (_, person) => Promise.resolve({ kind: 'person', person, notes: [] }),
      log: () => undefined,
    });
    const settle = async (): Promise<void> => {
      await refresher.tick();
      while (refresher.inFlight() > 0) await new Promise(setImmediate);
    };
    clock.at += RECHECK_MS;
    for (let second = 0; second < 120; second++) {
      await settle();
      clock.at += 1_000;
    }
    assert.ok(state.refused > 0 && state.refused < 200, `away, it was asked ${state.refused} times in two minutes`);
    state.isAway = false;
    for (let second = 0; asked.size < COUNT && second < 200; second++) {
      clock.at += 1_000;
      await settle();
    }
    const counts = new Set(asked.values());
    assert.deepEqual(
      [asked.size, [...counts], state.strange],
      [COUNT, [1], 0],
      'one refresh a session, by its own token',
    );
    let lost = 0;
    for (const [at, key] of keys.entries()) {
      const answer = await sessions.find(key);
      const isKept = answer.kind === 'found' && answer.session.person.subject === `s-${at}`;
      if (!isKept || answer.session.person.groups.join() !== '/after') lost++;
      else if (at % 1_000 === 0) {
        const kept = readGrant(await sessions.findGrant(key));
        assert.equal(kept?.refreshToken, `r-s-${at}-1`);
      }
    }
    assert.equal(lost, 0, 'everybody is in, and what the provider says now counts');
  });
});
