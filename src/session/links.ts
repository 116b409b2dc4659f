/**
 * The control thread's side of links: made, opened, listed, revoked. The value of a link leaves here once; opening it
 * gives a session of its own, which ends with the link. What the store says of a link counts only as it was signed.
 */
import { randomBytes } from 'node:crypto';
import { LINK_PROVIDER } from '../core/person.ts';
import { TOKEN_NAME } from '../core/token-store.ts';
import { createLinkSigner, type ReadLink } from './link-signature.ts';
import type { AccountStore } from '../core/account-store.ts';
import type { Clock } from '../core/clock.ts';
import type { LinkStore, StoredLink } from '../core/link-store.ts';
import type { Person } from '../core/person.ts';
import type { SealKey } from './seal.ts';

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
  | { readonly kind: 'created'; readonly value: string; readonly stored: StoredLink }
  | { readonly kind: 'invalid'; readonly message: string };

export interface ListedLink extends StoredLink {
  /** False: it opens nothing, since no signature of this gateway's present key is on what the store says of it. */
  readonly isSigned: boolean;
}

export interface Links {
  create(link: NewLink, actor: string): Promise<CreateLink>;
  /** What a value would open, without opening it; null where it is none of ours, altered, over, or used up. */
  peek(value: string): Promise<StoredLink | null>;
  /** Takes one use; the person that the session is to be of. */
  open(value: string): Promise<{ readonly link: StoredLink; readonly person: Person } | null>;
  /** False once it is revoked. */
  isThere(key: string): Promise<boolean>;
  list(): Promise<readonly ListedLink[]>;
  /** Ends the link and the sessions that it opened; false where there is none of the name. */
  revoke(name: string, actor: string): Promise<boolean>;
}

export interface LinksDeps {
  readonly store: LinkStore;
  readonly audit: Pick<AccountStore, 'appendAudit'>;
  readonly clock: Clock;
  readonly sealKey: SealKey;
  readonly revokeSessions: (provider: string, subject: string) => Promise<unknown>;
}

const LONGEST_MS = 366 * 86_400_000;

export function createLinks({ store, audit, clock, sealKey, revokeSessions }: LinksDeps): Links {
  const signer = createLinkSigner(sealKey);
  const note = (actor: string, action: string, { name, host, scope }: StoredLink): Promise<void> =>
    audit.appendAudit({ at: clock.now(), actor, action, target: `link:${name} ${host}${scope}` });
  const find = async (read: ReadLink | null): Promise<StoredLink | null> => {
    const link = read === null ? null : await store.findLink(read.key);
    return read !== null && link !== null && signer.isAsSigned(read, link) ? link : null;
  };
  return {
    async create({ name, lifetimeMs, uses, ...place }, actor) {
      const chosen = name ?? `link-${randomBytes(4).toString('hex')}`;
      if (!TOKEN_NAME.test(chosen)) return invalid(chosen, 'write 1 to 64 of a-z, 0-9, ".", "_" and "-" for the name');
      if (!(lifetimeMs >= 1_000 && lifetimeMs <= LONGEST_MS)) return invalid(chosen, 'it may live a second to a year');
      if (uses !== null && !(Number.isSafeInteger(uses) && uses > 0))
        return invalid(chosen, 'it is to be opened once at least');
      const createdAt = clock.now();
      const { host, scope, target } = place;
      const words = { name: chosen, host, scope, target, createdAt, expiresAt: createdAt + lifetimeMs, uses };
      const { value, key, signature } = signer.mint(words);
      const stored = { ...words, key, signature, usesLeft: uses, lastUsedAt: null };
      if (!(await store.insertLink(stored))) return invalid(chosen, 'there is one of this name already');
      await note(actor, 'link.create', stored);
      return { kind: 'created', value, stored };
    },
    async peek(value) {
      const link = await find(signer.read(value));
      return link !== null && link.expiresAt > clock.now() && link.usesLeft !== 0 ? link : null;
    },
    async open(value) {
      const read = signer.read(value);
      const link = read !== null && (await find(read)) !== null ? await store.takeLink(read.key, clock.now()) : null;
      if (read === null || link === null || !signer.isAsSigned(read, link)) return null;
      await note(`link:${link.name}`, 'link.open', link);
      return { link, person: personOf(link) };
    },
    isThere: async (key) => (await store.findLink(key)) !== null,
    list: async () => (await store.listLinks()).map((link) => ({ ...link, isSigned: signer.isSigned(link) })),
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
