/**
 * Who `postern explain --as` means, as far as the running Postern knows them: a person with their groups, a link with
 * the place where it leads. Whoever is not there is judged as if they were, and a note says so.
 */
import { PosternError } from '../core/errors.ts';
import type { Identity, Person } from '../core/person.ts';
import { parseIdentity } from '../route/persons.ts';
import type { RoutingTable } from '../route/table.ts';
import { LOCAL_PROVIDER } from '../session/accounts.ts';
import type { Links } from '../session/links.ts';
import type { ServiceTokens } from '../session/service-tokens.ts';
import { stateOf } from './links.ts';
import type { PeopleDeps } from './people.ts';

export interface Asked {
  readonly as: string;
  readonly groups: readonly string[];
  readonly roles?: readonly string[];
}

export interface Explained {
  readonly identity: Identity;
  readonly note: string | null;
}

export interface ExplainedDeps extends PeopleDeps {
  readonly tokens: Pick<ServiceTokens, 'list'>;
  readonly links: Pick<Links, 'list'>;
  readonly prepared: () => { readonly table: RoutingTable; readonly document: Services };
}

interface Services {
  readonly services: readonly { readonly name: string }[];
}

export function readIdentity(asked: Asked, table: RoutingTable): Identity {
  const read = parseIdentity(asked.as, asked, table.providers);
  if (read.kind === 'identity') return read.identity;
  throw new PosternError('OPERATION_REFUSED', `${read.message}${read.remedy === null ? '' : `. ${read.remedy}`}`);
}

/** A known account with its own groups; somebody unknown only with the groups that are given. */
export async function explainedIdentity(asked: Asked, deps: ExplainedDeps): Promise<Explained> {
  const { table, document } = deps.prepared();
  const identity = readIdentity(asked, table);
  switch (identity.kind) {
    case 'person':
      return identity.person.provider === LOCAL_PROVIDER
        ? accountOf(identity, identity.person.name, asked, deps)
        : signedInAs(identity, identity.person, asked, deps);
    case 'link':
      return linkOf(identity, identity.name, deps);
    case 'token':
      return { identity, note: await noteOnToken(identity.name, deps) };
    case 'service':
      return { identity, note: noteOnService(identity.name, document) };
    default:
      return { identity, note: null };
  }
}

/** Null where the document has it. */
export function noteOnService(name: string, { services }: Services): string | null {
  const isThere = services.some((one) => one.name === name);
  return isThere ? null : `the document has no service "${name}"; judged as if it had`;
}

async function noteOnToken(name: string, { tokens }: ExplainedDeps): Promise<string | null> {
  const named = (await tokens.list()).filter((one) => one.name === name);
  if (named.length === 0) return `there is no token for "${name}"; judged as if there were`;
  const isOver = named.every(({ expiresAt }) => expiresAt !== null && Date.now() >= expiresAt);
  return isOver ? `every token for "${name}" has expired; judged as if one had not` : null;
}

/** It counts where it leads and nowhere else: judged so, like the session that it opens. */
async function linkOf(identity: Identity, name: string, { links }: ExplainedDeps): Promise<Explained> {
  const link = (await links.list()).find((one) => one.name === name);
  if (link === undefined) return { identity, note: `there is no link "${name}"; judged as if one led here` };
  const { host, scope } = link;
  const state = stateOf(link, Date.now());
  const isOver = state === 'expired' || state === 'unsigned' ? `, and is ${state}; judged as if it were good` : '';
  const note = `link "${name}" leads to "${host}${scope}" and counts nowhere else${isOver}`;
  return { identity: { kind: 'link', name, place: { host, scope } }, note };
}

async function accountOf(identity: Identity, name: string, asked: Asked, deps: ExplainedDeps): Promise<Explained> {
  const account = await deps.accounts.findByName(name);
  if (account === null) return { identity, note: `there is no account "${name}"; judged as if there were` };
  const note = account.disabled ? `account "${name}" is disabled and cannot sign in; judged as if it could` : null;
  if (asked.groups.length > 0) return { identity, note };
  return { identity: { kind: 'person', person: deps.accounts.personOf(account, ['pwd']) }, note };
}

/** Groups and roles of people of providers are known while they are signed in. */
async function signedInAs(
  identity: Identity,
  { provider, name }: Person,
  asked: Asked,
  { sessions }: ExplainedDeps,
): Promise<Explained> {
  if (asked.groups.length + (asked.roles ?? []).length > 0) return { identity, note: null };
  const live = (await sessions.list()).find((one) => one.person.provider === provider && one.person.name === name);
  if (live !== undefined) return { identity: { kind: 'person', person: live.person }, note: null };
  const note = `"${provider}:${name}" is not signed in, so groups and roles are not known; give them`;
  return { identity, note };
}
