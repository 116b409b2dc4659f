/** What an operator does with machines' tokens, as plain calls with plain answers. */
import { refusal } from './refusal.ts';
import type { RuleText } from '../config/document/rules.ts';
import type { StoredToken } from '../core/token-store.ts';
import type { RoutingTable } from '../route/table.ts';
import { shortTokenId } from '../session/service-tokens.ts';
import type { ServiceTokens } from '../session/service-tokens.ts';

export interface TokenLine {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly state: 'active' | 'expired';
  readonly createdAt: number;
  /** Null: never. */
  readonly expiresAt: number | null;
  /** To the minute; null: not yet. */
  readonly lastUsedAt: number | null;
}

export type TokenOperations = {
  /** The only answer that ever holds the token. A lifetime of null: it does not expire. */
  'token.create': (input: { name: string; description?: string; lifetimeMs: number | null }) => Promise<{
    readonly token: string;
    readonly line: TokenLine;
    /** Of the rules in force: what is still to be done until it opens anything; null: nothing, or no Postern runs. */
    readonly remark: string | null;
  }>;
  'token.list': () => Promise<readonly TokenLine[]>;
  'token.revoke': (input: { id?: string; name?: string }) => Promise<{ readonly revoked: number }>;
};

const ACTOR = 'cli';
const SHORTEST_PREFIX = 4;

/** `running` null: no Postern runs, so no rule can be looked at. */
export function createTokenOperations(
  tokens: ServiceTokens,
  running: () => { readonly table: Pick<RoutingTable, 'hosts' | 'fallback'> } | null,
): TokenOperations {
  return {
    async 'token.create'({ name, description, lifetimeMs }) {
      const created = await tokens.create({ name, description: description ?? '', lifetimeMs }, ACTOR);
      if (created.kind === 'invalid') throw refusal(created.message);
      return { token: created.token, line: lineOf(created.stored, Date.now()), remark: remarkOn(name, running()) };
    },
    'token.list': async () => (await tokens.list()).map((one) => lineOf(one, Date.now())),
    async 'token.revoke'(input) {
      const meant = chosen(await tokens.list(), input);
      const gone = await tokens.revoke(
        meant.map((one) => one.key),
        ACTOR,
      );
      return { revoked: gone.length };
    },
  };
}

function remarkOn(name: string, running: ReturnType<Parameters<typeof createTokenOperations>[1]>): string | null {
  if (running === null) return null;
  const { hosts, fallback } = running.table;
  const routes = [...hosts, ...(fallback === null ? [] : [fallback])].flatMap((host) => host.routes);
  const isNamed = routes.some(({ config }) => config.allow.some(({ rule }) => mayName(rule, name)));
  return isNamed ? null : `No rule names "token:${name}" yet: it opens nothing until one does, in "allow" of its route`;
}

/** A condition may be about any token: nobody can tell from its text. */
function mayName(rule: RuleText, name: string): boolean {
  if (typeof rule === 'string') return rule === `token:${name}`;
  return 'when' in rule || rule.all.some((part) => mayName(part, name));
}

function chosen(all: readonly StoredToken[], input: { id?: string; name?: string }): readonly StoredToken[] {
  if (input.name !== undefined) {
    const named = all.filter((one) => one.name === input.name);
    if (named.length === 0) throw refusal(`Cannot revoke tokens of "${input.name}": there is none`);
    return named;
  }
  const id = input.id ?? '';
  const found = id.length < SHORTEST_PREFIX ? [] : all.filter((one) => one.key.startsWith(id));
  if (found.length === 0) {
    const isName = all.some((one) => one.name === id);
    const remedy = isName ? `"postern token revoke --for ${id}" means the name` : '"postern token list" shows them';
    throw refusal(`Cannot revoke token "${id}": no token has this id; ${remedy}`);
  }
  if (found.length > 1)
    throw refusal(`Cannot revoke token "${id}": ${found.length} tokens begin so; write more of the id`);
  return found;
}

function lineOf(token: StoredToken, now: number): TokenLine {
  const { key, name, description, createdAt, expiresAt, lastUsedAt } = token;
  const state = expiresAt !== null && now >= expiresAt ? 'expired' : 'active';
  return { id: shortTokenId(key), name, description, state, createdAt, expiresAt, lastUsedAt };
}
