/**
 * Local accounts: people whom Postern itself knows. The subject is random and never used again; the
 * name may be. Disabling, deleting and a new password end sessions; groups reach live ones at once.
 * Holds password hashes, never passwords; one-time links are kept as hashes.
 */
import { randomBytes } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { canonicaliseName, isGroupName } from './account-name.ts';
import { isToken, keyOfToken, mintToken } from './token.ts';
import type { Account, AccountChange, AccountStore } from '../core/account-store.ts';
import type { Clock } from '../core/clock.ts';
import type { Person } from '../core/person.ts';
import type { OpenedSession } from './record.ts';
import type { Sessions } from './sessions.ts';

/** Id of the provider in Person.provider for local accounts, unless the document names it otherwise. */
export const LOCAL_PROVIDER = 'local';

/** How long a one-time link to set a password works. */
export const LINK_LIFETIME_MS = 3_600_000;

const SUBJECT_BYTES = 15;
const FIRST_ADMINISTRATOR = 'admin';
const ADMINISTRATORS = 'admins';

export interface NewAccount {
  readonly name: string;
  readonly displayName?: string;
  readonly email?: string | null;
  readonly groups?: readonly string[];
}

/** A one-time link to set a password. The token is shown once and kept as a hash. */
export interface SetPasswordLink {
  readonly token: string;
  readonly expiresAt: number;
}

export type AddAccount =
  | { readonly kind: 'added'; readonly account: Account }
  | { readonly kind: 'exists'; readonly name: string }
  | { readonly kind: 'invalid'; readonly message: string };

export interface AccountsDeps {
  readonly store: AccountStore;
  readonly sessions: Sessions;
  readonly clock: Clock;
  /** Id of the local provider in the document. */
  readonly provider: string;
  /** Whether the document has local accounts at this moment; left out: always. */
  readonly isOffered?: () => boolean;
}

export interface Accounts {
  /** Refuses a name or group that no rule could name; a taken name is `exists`. */
  add(account: NewAccount, actor: string): Promise<AddAccount>;
  list(): Promise<readonly Account[]>;
  /** By any spelling of the name. */
  findByName(name: string): Promise<Account | null>;
  find(subject: string): Promise<Account | null>;
  /** The person that an account is, with the proofs of this sign-in, e.g. ["pwd"]. */
  personOf(account: Account, amr: readonly string[]): Person;
  /**
   * Opens a sign-in session for an account that is enabled at this moment; null where it is not, where the document has
   * no local accounts by now, or where its password hash is no longer `verified`, the one that the password was checked against.
   */
  openSignIn(
    subject: string,
    host: string,
    amr: readonly string[],
    options?: AccountSignIn,
  ): Promise<OpenedSession | null>;
  disable(subject: string, actor: string): Promise<Account | null>;
  enable(subject: string, actor: string): Promise<Account | null>;
  delete(subject: string, actor: string): Promise<boolean>;
  /** Null where the account is gone or a group has an impossible name. */
  setGroups(subject: string, groups: readonly string[], actor: string): Promise<Account | null>;
  /** Takes a hash (see hash-pool). Ends the account's sessions. */
  setPassword(subject: string, passwordHash: string, actor: string): Promise<Account | null>;
  /** Replaces the stored hash of the same password by a stronger one; sessions stay. False where the password has changed meanwhile. */
  rehash(subject: string, from: string, to: string): Promise<boolean>;
  /** A link that lets its holder set the password within the hour. */
  mintLink(subject: string, actor: string): Promise<SetPasswordLink | null>;
  /** For GET: shows whose link it is, consumes nothing. */
  peekLink(token: string): Promise<Account | null>;
  /** For POST: sets the password once; null where the link is unknown, used or too old. Ends other sessions. */
  consumeLink(token: string, passwordHash: string): Promise<Account | null>;
  /** Puts something that was done with an account into the audit trail. */
  note(subject: string, action: string, actor: string): Promise<void>;
  /** At start: what a crash left between an account and its sessions is made good. */
  reconcile(): Promise<void>;
  /** At first start, without any account: makes "admin" in group "admins" with a link. Null where accounts exist. */
  addFirstAdministrator(name?: string): Promise<{ readonly account: Account; readonly link: SetPasswordLink } | null>;
}

export interface AccountSignIn {
  /** The password hash that was checked: another one by now opens nothing. */
  readonly verified?: string | undefined;
  /** When the password or a passkey was shown, where that is not now; null: not known. */
  readonly authenticatedAt?: number | null | undefined;
  /** The second factor that was shown: one that is removed meanwhile opens nothing. */
  readonly factor?: ShownFactor | undefined;
}

export interface ShownFactor {
  readonly id: string;
  readonly isThere: () => Promise<boolean>;
}

type Audit = (actor: string, action: string, target: string) => Promise<void>;

export function createAccounts(deps: AccountsDeps): Accounts {
  const { store, sessions, clock } = deps;
  const audit: Audit = (actor, action, target) => store.appendAudit({ at: clock.now(), actor, action, target });
  const links = createLinks(deps, audit);

  async function add(fresh: NewAccount, actor: string): Promise<AddAccount> {
    const account = accountFrom(fresh, clock.now());
    if (typeof account === 'string') return { kind: 'invalid', message: account };
    if (!(await store.insertAccount(account))) return { kind: 'exists', name: account.name };
    await audit(actor, 'account.add', account.subject);
    return { kind: 'added', account };
  }

  return {
    ...links,
    ...createChanges(deps, audit),
    add,
    personOf: (account, amr) => personFrom(deps.provider, account, amr),
    note: (subject, action, actor) => audit(actor, action, subject),
    list: () => store.listAccounts(),
    find: (subject) => store.findAccount(subject),
    async findByName(name) {
      const canonical = canonicaliseName(name);
      return canonical === null ? null : store.findAccountByName(canonical);
    },
    openSignIn: (subject, host, amr, options = {}) => openAccountSession(deps, { ...options, subject, host, amr }),
    async reconcile() {
      for (const account of await store.listAccounts()) {
        if (account.disabled) await sessions.revokeByPerson(deps.provider, account.subject);
        else await sessions.refreshPerson(personFrom(deps.provider, account, []));
        // Visitors are served meanwhile, and their look-ups must not wait for all accounts.
        await setImmediate();
      }
    },
    async addFirstAdministrator(name = FIRST_ADMINISTRATOR) {
      if ((await store.listAccounts()).length > 0) return null;
      const added = await add({ name, displayName: 'Administrator', groups: [ADMINISTRATORS] }, 'first-start');
      if (added.kind !== 'added') return null;
      const link = await links.mintLink(added.account.subject, 'first-start');
      return link === null ? null : { account: added.account, link };
    },
  };
}

type Changes = Pick<Accounts, 'disable' | 'enable' | 'delete' | 'setGroups' | 'setPassword' | 'rehash'>;

function createChanges(deps: AccountsDeps, audit: Audit): Changes {
  const { store, sessions, provider } = deps;

  /** The account first, its sessions second: whoever opens one in between looks at the account again. */
  async function change(
    subject: string,
    what: AccountChange,
    then: 'end-sessions' | 'refresh-sessions',
  ): Promise<Account | null> {
    const account = await store.updateAccount(subject, what);
    if (account === null) return null;
    if (then === 'end-sessions') await sessions.revokeByPerson(provider, subject);
    else await sessions.refreshPerson(personFrom(provider, account, []));
    return account;
  }

  async function audited(actor: string, action: string, changed: Promise<Account | null>): Promise<Account | null> {
    const account = await changed;
    if (account !== null) await audit(actor, action, account.subject);
    return account;
  }

  return {
    disable: (subject, actor) => audited(actor, 'account.disable', change(subject, { disabled: true }, 'end-sessions')),
    enable: (subject, actor) =>
      audited(actor, 'account.enable', change(subject, { disabled: false }, 'refresh-sessions')),
    async delete(subject, actor) {
      // Disabled first: a crash half way leaves nobody signed in.
      if ((await change(subject, { disabled: true }, 'end-sessions')) === null) return false;
      const deleted = await store.deleteAccount(subject);
      await sessions.revokeByPerson(provider, subject);
      if (deleted) await audit(actor, 'account.delete', subject);
      return deleted;
    },
    async setGroups(subject, groups, actor) {
      if (!groups.every(isGroupName)) return null;
      return audited(actor, 'account.groups', change(subject, { groups: [...new Set(groups)] }, 'refresh-sessions'));
    },
    setPassword: (subject, passwordHash, actor) =>
      audited(actor, 'account.password', change(subject, { passwordHash }, 'end-sessions')),
    rehash: (subject, from, to) => store.replaceHash(subject, from, to),
  };
}

function createLinks(deps: AccountsDeps, audit: Audit): Pick<Accounts, 'mintLink' | 'peekLink' | 'consumeLink'> {
  const { store, sessions, clock } = deps;
  const peekLink = async (token: string): Promise<Account | null> => {
    if (!isToken(token)) return null;
    const link = await store.findLink(keyOfToken(token));
    if (link === null || clock.now() >= link.expiresAt) return null;
    const account = await store.findAccount(link.subject);
    return account === null || account.disabled ? null : account;
  };
  return {
    peekLink,
    async mintLink(subject, actor) {
      const account = await store.findAccount(subject);
      if (account === null || account.disabled) return null;
      const token = mintToken();
      const expiresAt = clock.now() + LINK_LIFETIME_MS;
      await store.putLink(keyOfToken(token), subject, expiresAt);
      await audit(actor, 'account.link', subject);
      return { token, expiresAt };
    },
    async consumeLink(token, passwordHash) {
      if ((await peekLink(token)) === null) return null;
      const account = await store.consumeLink(keyOfToken(token), clock.now(), passwordHash);
      if (account === null) return null;
      await sessions.revokeByPerson(deps.provider, account.subject);
      await audit('link', 'account.password', account.subject);
      return account;
    },
  };
}

/**
 * Looks at the account, and at the document, again after the session is written: disabling, group changes and a reload
 * that takes local accounts away look at sessions after these.
 */
async function openAccountSession(deps: AccountsDeps, wish: SignInWish): Promise<OpenedSession | null> {
  const { store, sessions, provider, isOffered = () => true } = deps;
  if (!isOffered()) return null;
  const before = await store.findAccount(wish.subject);
  if (before === null || before.disabled) return null;
  if (wish.verified !== undefined && before.passwordHash !== wish.verified) return null;
  const { authenticatedAt = deps.clock.now() } = wish;
  const { factor } = wish;
  const shown = factor === undefined ? {} : { factor: factor.id };
  const person = { ...personFrom(provider, before, wish.amr), ...shown, acr: null, authenticatedAt };
  const opened = await sessions.openSignIn(person, wish.host);
  const after = await store.findAccount(wish.subject);
  const isShown = factor === undefined || (await factor.isThere());
  if (after?.revision === before.revision && isOffered() && isShown) return opened;
  await sessions.revoke(opened.view.key);
  return isShown ? openAccountSession(deps, wish) : null;
}

interface SignInWish extends AccountSignIn {
  readonly subject: string;
  readonly host: string;
  readonly amr: readonly string[];
}

function personFrom(provider: string, account: Account, amr: readonly string[]): Person {
  const { subject, name, displayName, email, groups } = account;
  // Whoever administers accounts vouches for their e-mail addresses; the person cannot set one.
  return { provider, subject, name, displayName, email, emailVerified: email !== null, groups, roles: [], amr };
}

function accountFrom(fresh: NewAccount, now: number): Account | string {
  const name = canonicaliseName(fresh.name);
  if (name === null) {
    return `Cannot add account "${fresh.name}": write 1 to 64 of a-z, 0-9, ".", "_", "-", or an e-mail address`;
  }
  const groups = [...new Set(fresh.groups ?? [])];
  const odd = groups.find((group) => !isGroupName(group));
  if (odd !== undefined)
    return `Cannot add account "${name}": group ${JSON.stringify(odd)} is empty, too long, or has control characters`;
  const email = fresh.email ?? (name.includes('@') ? name : null);
  return {
    subject: randomBytes(SUBJECT_BYTES).toString('base64url'),
    name,
    displayName: fresh.displayName ?? name,
    email,
    groups,
    passwordHash: null,
    disabled: false,
    createdAt: now,
    revision: 1,
  };
}
