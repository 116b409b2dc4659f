/**
 * Sessions in the project's own store (`--data`, or memory): tokens sealed, listed and revoked live by
 * `postern sessions`. The store is this process's alone, so what it has told holds until it tells otherwise.
 */
import { listedPerson } from './listed-person.ts';
import { ANY_HOST } from './session-desk.ts';
import { sessionFromData, sessionToData } from './session-data.ts';
import { SingleFlight } from './single-flight.ts';
import type { SignInRenewal } from '../../session/record.ts';
import type { Sessions } from '../../session/sessions.ts';
import type { AuthSession } from '../auth-session.ts';
import type { SessionId, SessionVault, VaultAnswer } from './session-vault.ts';

/** All the same nothing is believed for ever. */
const TRUST_MS = 300_000;
const SWEEP_MS = 30_000;

export interface EmbeddedVaultDeps {
  readonly sessions: Sessions;
  /** As sessions are listed: the kind of the provider. */
  readonly provider: string;
  /** Who vouches for people. */
  readonly authority: string;
}

export function createEmbeddedVault(deps: EmbeddedVaultDeps): SessionVault {
  const { sessions } = deps;
  const flights = new SingleFlight();
  // What cannot be deleted now is deleted by the next one.
  const sweeping = setInterval(() => void sessions.sweep().catch(() => {}), SWEEP_MS);
  sweeping.unref();
  return {
    find: (id) => find(sessions, id),
    async add(session, expiresAt) {
      const { authority } = deps;
      const providerSession = session.providerSession === '' ? null : session.providerSession;
      const { person, grant } = contentOf(deps, session, expiresAt);
      const opened = await sessions.openSignIn(person, ANY_HOST, { authority, providerSession, grant, expiresAt });
      return { token: opened.token, key: opened.view.key };
    },
    replace: ({ key }, session, expiresAt) => sessions.renewSignIn(key, contentOf(deps, session, expiresAt)),
    async remove(key) {
      await sessions.revoke(key);
    },
    once: (key, work) => flights.run(key, work),
    trustMs: () => TRUST_MS,
    noteUse: (key, now) => sessions.touch([[key, now]]),
    onChange: (listener) =>
      sessions.onChange((change) => {
        for (const key of change.keys) listener(key);
      }),
    isReady: async () => (await sessions.find('')).kind !== 'unavailable',
    async close() {
      clearInterval(sweeping);
    },
  };
}

async function find(sessions: Sessions, { key }: SessionId): Promise<VaultAnswer> {
  const answer = await sessions.find(key);
  if (answer.kind !== 'found') return answer;
  try {
    const session = sessionFromData(await sessions.findGrant(key));
    return session === null ? { kind: 'absent' } : { kind: 'found', session };
  } catch {
    return { kind: 'unavailable' };
  }
}

function contentOf(deps: EmbeddedVaultDeps, session: AuthSession, expiresAt: number): SignInRenewal {
  return {
    person: listedPerson(deps.provider, session),
    grant: { value: sessionToData(session), refreshAt: null },
    expiresAt,
  };
}
