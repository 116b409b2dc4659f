/** The store without a gateway, for commands that run while no Postern uses the data folder. */
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { PosternError } from '../core/errors.ts';
import { systemClock } from '../core/clock.ts';
import { createAccounts } from '../session/accounts.ts';
import { LOCAL_PROVIDER } from '../session/accounts.ts';
import { createFactors } from '../session/factors.ts';
import { createSealKey } from '../session/seal.ts';
import { createLinks } from '../session/links.ts';
import { createServiceTokens } from '../session/service-tokens.ts';
import { createSessions } from '../session/sessions.ts';
import { openStore } from '../store/sqlite.ts';
import { createPeopleOperations } from './people.ts';
import { createLinkOperations } from './links.ts';
import { createTokenOperations } from './tokens.ts';
import { openCertificatesOffline } from './offline-certificates.ts';
import { refuseElsewhere } from './session-place.ts';
import { recallSignInOrigin, setPasswordUrl } from './sign-in-origin.ts';
import type { OfflineCertificateOperations } from './offline-certificates.ts';
import type { LinkOperations } from './links.ts';
import type { PeopleOperations } from './people.ts';
import type { TokenOperations } from './tokens.ts';

export interface Offline {
  readonly operations: PeopleOperations & TokenOperations & LinkOperations & OfflineCertificateOperations;
  readonly close: () => Promise<void>;
}

/** Lifetimes matter to running sessions only; here sessions are listed and ended. */
const LIMITS = { lifetimeMs: Number.MAX_SAFE_INTEGER, idleMs: Number.MAX_SAFE_INTEGER };

export interface OfflineOptions {
  readonly mayCreate: boolean;
  /** Refuses where the folder's sessions are elsewhere. */
  readonly needsSessions: boolean;
}

export async function openOffline(dataDir: string, options: OfflineOptions): Promise<Offline> {
  if (options.needsSessions) refuseElsewhere(dataDir);
  if (!options.mayCreate && !existsSync(join(dataDir, 'postern.db'))) {
    const remedy = 'name the right one with --data DIR';
    throw new PosternError(
      'DATA_DIR_UNUSABLE',
      `Cannot use data folder "${dataDir}": Postern has never run with it; ${remedy}`,
      { dataDir },
    );
  }
  becomeOwnerOf(dataDir);
  const store = openStore(dataDir);
  const sealKey = createSealKey(store.sealKey);
  const sessions = createSessions({ store: store.sessions, clock: systemClock, sealKey, limits: () => LIMITS });
  const accounts = createAccounts({ store: store.accounts, sessions, clock: systemClock, provider: LOCAL_PROVIDER });
  const factors = createFactors({ store: store.factors, clock: systemClock, sealKey });
  const { instance } = store;
  const tokens = createServiceTokens({ store: store.tokens, audit: store.accounts, clock: systemClock, instance });
  const links = createLinks({
    store: store.links,
    audit: store.accounts,
    clock: systemClock,
    sealKey,
    revokeSessions: (provider, subject) => sessions.revokeByPerson(provider, subject),
  });
  const origin = recallSignInOrigin(dataDir);
  const certificates = openCertificatesOffline(store, sealKey);
  return {
    operations: {
      ...createPeopleOperations({ accounts, factors, sessions, linkUrl: (token) => setPasswordUrl(origin, token) }),
      ...createTokenOperations(tokens, () => null),
      ...createLinkOperations(links, () => null),
      ...certificates.operations,
    },
    async close() {
      await certificates.close();
      store.close();
    },
  };
}

/** As root, files made here would shut out the user that Postern runs as, at its next start. */
function becomeOwnerOf(folder: string): void {
  const owner = statSync(folder, { throwIfNoEntry: false });
  if (owner === undefined || owner.uid === 0 || process.getuid?.() !== 0) return;
  process.setgroups?.([owner.gid]);
  process.setgid?.(owner.gid);
  process.setuid?.(owner.uid);
}
