/**
 * What an operator does with people and their sessions, as plain calls with plain answers: the control
 * socket serves them, and the CLI runs them by itself while no Postern uses the data folder.
 */
import { refusal } from './refusal.ts';
import { parseEmailAddress } from '../policy/email-address.ts';
import { isGroupName } from '../session/account-name.ts';
import type { Account } from '../core/account-store.ts';
import type { Accounts } from '../session/accounts.ts';
import type { Factors } from '../session/factors.ts';
import type { SignInSummary } from '../session/record.ts';
import type { Sessions } from '../session/sessions.ts';

export interface AccountSummary {
  readonly name: string;
  readonly displayName: string;
  readonly email: string | null;
  readonly groups: readonly string[];
  readonly enabled: boolean;
  readonly hasPassword: boolean;
  /** How many second factors are set up. */
  readonly secondFactors: number;
}

export interface LinkAnswer {
  readonly name: string;
  readonly url: string;
  readonly expiresAt: number;
}

/** Before the first start no sign-in host is known, so there is an account and no link yet. */
export type AddAnswer = LinkAnswer | { readonly name: string; readonly url: null };

export interface SessionLine {
  readonly id: string;
  readonly user: string;
  readonly hosts: readonly string[];
  readonly createdAt: number;
  /** Null: nobody notes it. */
  readonly lastSeenAt: number | null;
  readonly expiresAt: number;
}

export interface RevokeAnswer {
  readonly revoked: number;
  /** Sessions that nobody has seen yet, and that cannot be counted, are refused as well. */
  readonly coversUnseen?: boolean;
}

/** What lists and revocations need of sessions, wherever they are kept. */
export interface SessionList {
  readonly list: () => Promise<readonly (Omit<SignInSummary, 'lastSeenAt'> & Pick<SessionLine, 'lastSeenAt'>)[]>;
  readonly revoke: (key: string) => Promise<number>;
  readonly revokeByPerson: (provider: string, subject: string) => Promise<number>;
  /** Where there may be more than a list shows. */
  readonly subjectsNamed?: (provider: string, name: string) => Promise<readonly string[]>;
  readonly keysBeginning?: (prefix: string) => Promise<readonly string[]>;
}

/** Names are what operators type; every call answers JSON. */
export type PeopleOperations = {
  'user.add': (input: { name: string; displayName?: string; email?: string; groups?: string[] }) => Promise<AddAnswer>;
  'user.list': () => Promise<readonly AccountSummary[]>;
  'user.link': (input: { name: string }) => Promise<LinkAnswer>;
  'user.disable': (input: { name: string }) => Promise<AccountSummary>;
  'user.enable': (input: { name: string }) => Promise<AccountSummary>;
  'user.delete': (input: { name: string }) => Promise<{ name: string }>;
  'user.reset-factors': (input: { name: string }) => Promise<{ name: string; removed: number }>;
  'user.groups': (input: { name: string; groups: string[] }) => Promise<AccountSummary>;
  /** Accounts, and whoever is signed in by another provider: names with groups, for replaying a log. */
  'people.known': () => Promise<readonly KnownPerson[]>;
  'user.unpin': (input: { name: string }) => Promise<{ name: string; revoked: number }>;
  'sessions.list': () => Promise<readonly SessionLine[]>;
  'sessions.revoke': (input: { id?: string; user?: string }) => Promise<RevokeAnswer>;
};

export interface PeopleDeps {
  readonly accounts: Accounts;
  readonly factors: Factors;
  readonly sessions: Sessions;
  /** Makes the page's address of a set-password token; null where no sign-in host is known. */
  readonly linkUrl: (token: string) => string | null;
}

export interface KnownPerson {
  readonly provider: string;
  readonly name: string;
  readonly groups: readonly string[];
  readonly roles: readonly string[];
  readonly email: string | null;
}

const ACTOR = 'cli';
/** Session ids are shown shortened; a prefix of this length tells them apart. */
const SHORT_ID = 12;

export function createPeopleOperations(deps: PeopleDeps): PeopleOperations {
  const { accounts } = deps;
  return {
    async 'user.add'(input) {
      const added = await accounts.add({ ...input, ...emailOf(input) }, ACTOR);
      if (added.kind === 'exists') throw refusal(`Cannot add user "${input.name}": there is one already`);
      if (added.kind === 'invalid') throw refusal(added.message);
      if (deps.linkUrl('') === null) return { name: added.account.name, url: null };
      return linkFor(deps, added.account);
    },
    'user.list': async () => Promise.all((await accounts.list()).map((account) => summarise(deps, account))),
    'user.link': async ({ name }) => linkFor(deps, await findAccount(accounts, name)),
    'user.disable': async ({ name }) =>
      changed(deps, name, await accounts.disable((await findAccount(accounts, name)).subject, ACTOR)),
    'user.enable': async ({ name }) =>
      changed(deps, name, await accounts.enable((await findAccount(accounts, name)).subject, ACTOR)),
    async 'user.delete'({ name }) {
      await accounts.delete((await findAccount(accounts, name)).subject, ACTOR);
      return { name };
    },
    async 'user.reset-factors'({ name }) {
      const account = await findAccount(accounts, name);
      const { factors } = await deps.factors.overview(account.subject);
      await deps.factors.removeAll(account.subject);
      // Whoever holds a session of it may be why the factors are reset.
      const { provider, subject } = accounts.personOf(account, []);
      await deps.sessions.revokeByPerson(provider, subject);
      await accounts.note(subject, 'factors.reset', ACTOR);
      return { name: account.name, removed: factors.length };
    },
    async 'user.groups'({ name, groups }) {
      const odd = groups.find((group) => !isGroupName(group));
      if (odd !== undefined) {
        const rule = 'it is empty, longer than 128 characters, or has blanks at an end or control characters';
        throw refusal(`Cannot change user "${name}": ${JSON.stringify(odd)} is no group; ${rule}`);
      }
      return changed(deps, name, await accounts.setGroups((await findAccount(accounts, name)).subject, groups, ACTOR));
    },
    'people.known': () => knownPeople(deps),
    'user.unpin': ({ name }) => unpin(deps, name),
    'sessions.list': () => listSessions(deps.sessions),
    'sessions.revoke': (input) => revoke(deps, input),
  };
}

export async function listSessions(sessions: Pick<SessionList, 'list'>): Promise<readonly SessionLine[]> {
  return (await sessions.list()).map((session) => ({
    id: session.key.slice(0, SHORT_ID),
    user: `${session.person.provider}:${session.person.name}`,
    hosts: session.hosts,
    createdAt: session.createdAt,
    lastSeenAt: session.lastSeenAt,
    expiresAt: session.expiresAt,
  }));
}

/** As rules compare it: what no rule could match is refused. */
function emailOf({ name, email }: { name: string; email?: string }): { email?: string } {
  if (email === undefined) return {};
  const address = parseEmailAddress(email);
  if (address !== null) return { email: address.text };
  throw refusal(
    `Cannot add user "${name}": ${JSON.stringify(email)} is not an e-mail address such as "alice@example.com"`,
  );
}

async function knownPeople({ accounts, sessions }: PeopleDeps): Promise<readonly KnownPerson[]> {
  const local = (await accounts.list()).map((account) => accounts.personOf(account, []));
  const signedIn = (await sessions.list()).map((session) => session.person);
  const all = new Map([...signedIn, ...local].map((person) => [`${person.provider}:${person.name}`, person]));
  return [...all.values()].map(({ provider, name, groups, roles, email, emailVerified }) => {
    return { provider, name, groups, roles, email: emailVerified ? email : null };
  });
}

async function revoke(deps: PeopleDeps, input: { id?: string; user?: string }): Promise<{ revoked: number }> {
  if (input.user !== undefined) {
    const name = input.user.replace(/^local:(user:)?/, '');
    const full = readFullName(name);
    if (full !== null) return { revoked: await revokeByName(deps.sessions, full) };
    const account = await findAccount(deps.accounts, name);
    const { provider, subject } = deps.accounts.personOf(account, []);
    return { revoked: await deps.sessions.revokeByPerson(provider, subject) };
  }
  return { revoked: await revokeById(deps.sessions, input.id ?? '') };
}

/** By the id that `sessions list` shows, or more of it. */
export async function revokeById(
  sessions: Pick<SessionList, 'list' | 'revoke' | 'keysBeginning'>,
  id: string,
): Promise<number> {
  const found = id.length < 4 ? [] : await keysFor(sessions, id);
  const [only] = found;
  if (only === undefined)
    throw refusal(`Cannot revoke session "${id}": no session has this id; "postern sessions list" shows them`);
  if (found.length > 1) throw refusal(`Cannot revoke session "${id}": several sessions begin so; write more of the id`);
  return sessions.revoke(only);
}

async function keysFor(sessions: Pick<SessionList, 'list' | 'keysBeginning'>, id: string): Promise<readonly string[]> {
  if (sessions.keysBeginning !== undefined) return sessions.keysBeginning(id);
  return (await sessions.list()).map(({ key }) => key).filter((key) => key.startsWith(id));
}

interface FullName {
  readonly provider: string;
  readonly name: string;
}

/** "github:alice" or "github:user:alice"; null without a provider. */
function readFullName(text: string): FullName | null {
  const [, provider, name] = /^([a-z][a-z0-9_-]{0,31}):(?:user:)?(.+)$/.exec(text) ?? [];
  return provider === undefined || name === undefined ? null : { provider, name };
}

/** People of providers have no account here: they are found by their sessions. */
export async function revokeByName(
  sessions: Pick<SessionList, 'list' | 'revokeByPerson' | 'subjectsNamed'>,
  { provider, name }: FullName,
): Promise<number> {
  let revoked = 0;
  for (const subject of await subjectsFor(sessions, { provider, name }))
    revoked += await sessions.revokeByPerson(provider, subject);
  if (revoked > 0) return revoked;
  throw refusal(`Cannot revoke sessions of "${provider}:${name}": there are none; "postern sessions list" shows them`);
}

async function subjectsFor(
  sessions: Pick<SessionList, 'list' | 'subjectsNamed'>,
  { provider, name }: FullName,
): Promise<Iterable<string>> {
  if (sessions.subjectsNamed !== undefined) return sessions.subjectsNamed(provider, name);
  const people = (await sessions.list()).map(({ person }) => person);
  return new Set(people.flatMap((one) => (one.provider === provider && one.name === name ? [one.subject] : [])));
}

/** The name is free for whoever signs in with it next; who had it is signed out. */
async function unpin(deps: PeopleDeps, text: string): Promise<{ name: string; revoked: number }> {
  const full = readFullName(text);
  if (full === null) throw refusal(`Cannot unpin "${text}": write the provider as well, such as "github:alice"`);
  const { provider, name } = full;
  if (!(await deps.sessions.unpinName(provider, name)))
    throw refusal(`Cannot unpin "${provider}:${name}": the name is not pinned to anybody`);
  const revoked = await revokeByName(deps.sessions, full).catch(() => 0);
  return { name: `${provider}:${name}`, revoked };
}

async function findAccount(accounts: Accounts, name: string): Promise<Account> {
  const account = await accounts.findByName(name);
  if (account === null) throw refusal(`Cannot find user "${name}": "postern user list" shows who there is`);
  return account;
}

async function linkFor(deps: PeopleDeps, account: Account): Promise<LinkAnswer> {
  const link = await deps.accounts.mintLink(account.subject, ACTOR);
  if (link === null)
    throw refusal(`Cannot make a link for "${account.name}": the account is disabled; enable it first`);
  const url = deps.linkUrl(link.token);
  if (url === null)
    throw refusal(
      'Cannot make a link: no sign-in host is known; start Postern with this data folder once, with sign_in.url set',
    );
  return { name: account.name, url, expiresAt: link.expiresAt };
}

function changed(deps: PeopleDeps, name: string, account: Account | null): Promise<AccountSummary> {
  if (account === null) throw refusal(`Cannot change user "${name}": it was deleted meanwhile`);
  return summarise(deps, account);
}

async function summarise(deps: PeopleDeps, account: Account): Promise<AccountSummary> {
  const { factors } = await deps.factors.overview(account.subject);
  return {
    name: account.name,
    displayName: account.displayName,
    email: account.email,
    groups: account.groups,
    enabled: !account.disabled,
    hasPassword: account.passwordHash !== null,
    secondFactors: factors.length,
  };
}
