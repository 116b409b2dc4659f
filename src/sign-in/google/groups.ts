/**
 * Groups of somebody whom Google signed in: those that the directory lists, and of the groups that rules name
 * also those that the person is in by another group. What the directory does not say is no group.
 */
import type { DirectorySettings } from '../../config/document/providers.ts';
import type { Clock } from '../../core/clock.ts';
import { OAuthError, Refusal } from '../oauth/failures.ts';
import type { ProviderHttp } from '../provider-http.ts';
import { actAsAdministrator, GOOGLE_ADDRESSES, type GoogleAddresses } from './credentials.ts';
import { createDirectory, type DirectoryGroups } from './directory.ts';

export interface GoogleGroupsDeps {
  readonly http: ProviderHttp;
  readonly clock: Clock;
  readonly log: (level: 'info' | 'warn', message: string, facts: Readonly<Record<string, unknown>>) => void;
  /** Groups that rules name. */
  readonly named: () => readonly string[];
  /** Others for tests. */
  readonly addresses?: GoogleAddresses;
}

export interface GoogleGroups {
  /** Rejects where nothing was learned; answers null where Google refuses, and says why in the log. */
  readonly of: (email: string) => Promise<DirectoryGroups | null>;
  /** For `postern check --live`: rejects with what stands in the way. */
  readonly check: () => Promise<void>;
}

export function createGoogleGroups(settings: DirectorySettings, deps: GoogleGroupsDeps): GoogleGroups {
  const { http, clock, addresses = GOOGLE_ADDRESSES } = deps;
  const { serviceAccount } = settings;
  const account = {
    readKey: serviceAccount === null ? null : (): Promise<string> => Promise.resolve(serviceAccount),
    adminEmail: settings.admin,
    targetPrincipal: settings.principal,
  };
  const actAs = actAsAdministrator(account, { http, clock, addresses, environment: process.env });
  const directory = createDirectory({ http, clock, base: addresses.directory, actAs, userScope: null });
  return {
    async of(email) {
      try {
        const { names, areAll } = await directory.groupsOf(email);
        const found = new Set(names);
        for (const group of deps.named())
          if (!found.has(group) && (await directory.isMember(group, email))) found.add(group);
        return { names: [...found], areAll };
      } catch (error) {
        if (!(error instanceof Refusal || error instanceof OAuthError)) throw error;
        deps.log('warn', `Groups of a person are missing: ${error.message}`, {});
        return null;
      }
    },
    async check() {
      await directory.groupsOf(settings.admin);
    },
  };
}
