/**
 * The control thread's side of links: made, opened, listed, revoked. The secret leaves here once; opening a link
 * gives a session of its own, which ends with the link.
 */
import { randomBytes } from 'node:crypto';
import { LINK_PROVIDER } from '../core/person.ts';
import { TOKEN_NAME } from '../core/token-store.ts';
import { isToken, keyOfToken, mintToken } from './token.ts';
import type { AccountStore } from '../core/account-store.ts';
import type { Clock } from '../core/clock.ts';
import type { LinkStore, StoredLink } from '../core/link-store.ts';
import type { Person } from '../core/person.ts';

export interface NewLink {
  /** Null: one is made up. */
  readonly name: string | null;
  readonly host: string;
  readonly scope: string;
  readonly target: string;
  readonly lifetimeMs: number;
  /** Null: as often as wanted. */
  readonly uses: number | null;
}

export type CreateLink =
  | { readonly kind: 'created'; readonly secret: string; readonly stored: StoredLink }
  | { readonly kind: 'invalid'; readonly message: string };

export interface Links {
  create(link: NewLink, actor: string): Promise<CreateLink>;
  /** What a secret would open, without opening it; null where it is none, over, or used up. */
  peek(secret: string): Promise<StoredLink | null>;
  /** Takes one use; the person that the session is to be of. */
  open(secret: string): Promise<{ readonly link: StoredLink; readonly person: Person } | null>;
  /** False once it is revoked. */
  isThere(key: string): Promise<boolean>;
  list(): Promise<readonly StoredLink[]>;
  /** Ends the link and the sessions that it opened; false where there is none of the name. */
  revoke(name: string, actor: string): Promise<boolean>;
}

export interface LinksDeps {
  readonly store: LinkStore;
  readonly audit: Pick<AccountStore, 'appendAudit'>;
  readonly clock: Clock;
  readonly revokeSessions: (provider: string, subject: string) => Promise<unknown>;
}

const LONGEST_MS = 366 * 86_400_000;

export function createLinks({ store, audit, clock, revokeSessions }: LinksDeps): Links {
  const note = (actor: string, action: string, { name, host, scope }: StoredLink): Promise<void> =>
    audit.appendAudit({ at: clock.now(), actor, action, target: `link:${name} ${host}${scope}` });
  return {
    async create({ name, lifetimeMs, uses, ...place }, actor) {
      const chosen = name ?? `link-${randomBytes(4).toString('hex')}`;
      if (!TOKEN_NAME.test(chosen)) return invalid(chosen, 'write 1 to 64 of a-z, 0-9, ".", "_" and "-" for the name');
      if (!(lifetimeMs >= 1_000 && lifetimeMs <= LONGEST_MS)) return invalid(chosen, 'it may live a second to a year');
      if (uses !== null && !(Number.isSafeInteger(uses) && uses > 0))
        return invalid(chosen, 'it is to be opened once at least');
      const secret = mintToken();
      const createdAt = clock.now();
      const expiresAt = createdAt + lifetimeMs;
      const stored = {
        key: keyOfToken(secret),
        name: chosen,
        ...place,
        createdAt,
        expiresAt,
        usesLeft: uses,
        lastUsedAt: null,
      };
      if (!(await store.insertLink(stored))) return invalid(chosen, 'there is one of this name already');
      await note(actor, 'link.create', stored);
      return { kind: 'created', secret, stored };
    },
    async peek(secret) {
      const link = isToken(secret) ? await store.findLink(keyOfToken(secret)) : null;
      return link !== null && link.expiresAt > clock.now() && link.usesLeft !== 0 ? link : null;
    },
    async open(secret) {
      const link = isToken(secret) ? await store.takeLink(keyOfToken(secret), clock.now()) : null;
      if (link === null) return null;
      await note(`link:${link.name}`, 'link.open', link);
      return { link, person: personOf(link) };
    },
    isThere: async (key) => (await store.findLink(key)) !== null,
    list: () => store.listLinks(),
    async revoke(name, actor) {
      const gone = await store.deleteLink(name);
      if (gone === null) return false;
      await revokeSessions(LINK_PROVIDER, gone.key);
      await note(actor, 'link.revoke', gone);
      return true;
    },
  };
}

function invalid(name: string, why: string): CreateLink {
  return { kind: 'invalid', message: `Cannot create link ${JSON.stringify(name)}: ${why}` };
}

/** Sessions are kept of persons. Rules see a link in its place: see identityOfPerson. */
function personOf({ key, name, host, scope }: StoredLink): Person {
  const nothing = { email: null, emailVerified: false, groups: [], roles: [], amr: [] };
  return {
    provider: LINK_PROVIDER,
    subject: key,
    name,
    displayName: `link:${name}`,
    ...nothing,
    link: { host, scope },
  };
}
