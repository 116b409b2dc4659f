/** What an operator does with links, as plain calls with plain answers. */
import { refusal } from './refusal.ts';
import type { CompiledHost, RoutingTable } from '../route/table.ts';
import { explainRequest, leadsNowhere } from '../route/explain-request.ts';
import type { Links, ListedLink } from '../session/links.ts';
import { isUnder } from '../sign-in/cookies.ts';
import { parseAuthority } from '../wire/authority.ts';
import { canonicalPath } from '../wire/canonical-path.ts';
import { HttpSyntaxError } from '../wire/http-syntax-error.ts';

export interface LinkLine {
  readonly name: string;
  /** "https://app.example.com/docs/*": where it lets in. */
  readonly place: string;
  /** "unsigned": it opens nothing, having been made before links were signed or under another key, or changed in the store. */
  readonly state: 'active' | 'expired' | 'used up' | 'unsigned';
  readonly createdAt: number;
  readonly expiresAt: number;
  /** Null: as often as wanted. */
  readonly usesLeft: number | null;
  readonly lastUsedAt: number | null;
}

export type LinkOperations = {
  /** The only answer that ever holds the secret, in `url`. `uses` of null: as often as wanted. */
  'link.create': (input: {
    url: string;
    name?: string;
    lifetimeMs: number;
    uses: number | null;
  }) => Promise<{ readonly url: string; readonly line: LinkLine }>;
  'link.list': () => Promise<readonly LinkLine[]>;
  'link.revoke': (input: { name: string }) => Promise<{ readonly name: string }>;
};

const ACTOR = 'cli';
/** More than that a line of the log does not name. */
const MOST_NAMES = 20;

/** What runs. */
interface Running {
  readonly table: RoutingTable;
  readonly document: { readonly session: { readonly cookieDomain: string | null } };
}

/** `running` null: no Postern runs, so no rule can be asked. */
export function createLinkOperations(links: Links, running: () => Running | null): LinkOperations {
  return {
    async 'link.create'({ url, name, lifetimeMs, uses }) {
      const place = placeOf(url);
      const now = running();
      if (now !== null) checkRunning(place, name ?? null, now);
      const created = await links.create({ name: name ?? null, ...place, lifetimeMs, uses }, ACTOR);
      if (created.kind === 'invalid') throw refusal(created.message);
      const { origin } = new URL(url);
      return {
        url: `${origin}/.postern/link?token=${created.value}`,
        line: lineOf({ ...created.stored, isSigned: true }, Date.now()),
      };
    },
    'link.list': async () => (await links.list()).map((one) => lineOf(one, Date.now())),
    async 'link.revoke'({ name }) {
      if (await links.revoke(name, ACTOR)) return { name };
      throw refusal(`Cannot revoke link "${name}": there is none of this name; "postern link list" shows them`);
    },
  };
}

/** For the log of a start; null where each link that is not over can be opened. */
export async function unsignedLinksWarning(links: Pick<Links, 'list'>, now: number): Promise<string | null> {
  const names = (await links.list()).flatMap((link) => (link.isSigned || now >= link.expiresAt ? [] : [link.name]));
  if (names.length === 0) return null;
  const some = names.slice(0, MOST_NAMES).join(', ') + (names.length > MOST_NAMES ? ', …' : '');
  return `Links that open nothing: ${some}. They were made before links were signed or under another "seal.key", or were changed in the database; "postern link revoke" them, and make them anew by "postern link create"`;
}

interface Place {
  readonly host: string;
  readonly scope: string;
  readonly target: string;
}

/** Host and path in the spelling in which requests have them, or none at all: a link must not mean two places. */
function placeOf(text: string): Place {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:'))
    throw refusal(`Cannot create link: "${text}" is not a whole address such as "https://app.example.com/report.pdf"`);
  const { hostname, search } = url;
  const path = url.pathname.includes('//') ? null : readPath(url.pathname);
  const host = readHost(hostname);
  if (path === null || host === null || url.username !== '' || url.hash !== '')
    throw refusal(`Cannot create link: "${text}" has a user, a fragment, or a path that could be read in two ways`);
  if (path.startsWith('/.postern')) throw refusal("Cannot create link: Postern's own pages need none");
  const isBelow = path.endsWith('/*');
  return { host, scope: path, target: (isBelow ? path.slice(0, -1) : path) + search };
}

function readPath(text: string): string | null {
  const read = orNull(() => canonicalPath(text, 0, text.length));
  return read === null || read.hasEncodedSlash ? null : read.path;
}

function readHost(text: string): string | null {
  return orNull(() => parseAuthority(text))?.host ?? null;
}

/** Null for what no request can have. */
function orNull<T>(parse: () => T): T | null {
  try {
    return parse();
  } catch (error) {
    if (error instanceof HttpSyntaxError) return null;
    throw error;
  }
}

function checkRunning({ host, scope, target }: Place, name: string | null, { table, document }: Running): void {
  const { cookieDomain } = document.session;
  if (cookieDomain !== null && isUnder(host, cookieDomain))
    throw refusal(
      `Cannot create link: with "session.cookie_domain" one cookie is for all hosts of "${cookieDomain}", and a link is for one place; choose a host outside, or remove "cookie_domain"`,
    );
  const identity = { kind: 'link', name: name ?? 'link-00000000', place: { host, scope } } as const;
  const explanation = explainRequest(table, { url: `https://${host}${target}`, method: 'GET', identity, ip: null });
  if (explanation.kind !== 'route') throw refusal(`Cannot create link: nothing is served at "${host}${target}"`);
  if (leadsNowhere(explanation))
    throw refusal(
      `Cannot create link: "${explanation.route.label}" leads each to an app of their own, and whoever comes by a link has none; add "when: [link]" to its "routes", or choose another place`,
    );
  if (explanation.decision.kind === 'allow') return;
  const rule = name === null ? '"link"' : `"link" or "link:${name}"`;
  throw refusal(
    `Cannot create link: the rules of "${labelOf(explanation.host)}" admit no such link; add ${rule} to "allow"`,
  );
}

function labelOf({ name }: CompiledHost): string {
  return name;
}

function lineOf(link: ListedLink, now: number): LinkLine {
  const { name, host, scope, createdAt, expiresAt, usesLeft, lastUsedAt } = link;
  return { name, place: host + scope, state: stateOf(link, now), createdAt, expiresAt, usesLeft, lastUsedAt };
}

export function stateOf({ expiresAt, usesLeft, isSigned }: ListedLink, now: number): LinkLine['state'] {
  if (!isSigned) return 'unsigned';
  if (now >= expiresAt) return 'expired';
  return usesLeft === 0 ? 'used up' : 'active';
}
