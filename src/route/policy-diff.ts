/**
 * Replays lines of an access log against two documents and says whose access would change. A line names
 * who came, not their groups: those are looked up, and where the old document then decides otherwise than
 * the log says, something of the request is not known (a group of then, a certificate, a header), and the
 * line is counted as unclear instead of being guessed. So is one of which the new document's answer depends on headers.
 */
import type { Identity, Person } from '../core/person.ts';
import { normaliseIp } from '../core/ip-address.ts';
import { ANONYMOUS } from '../policy/facts.ts';
import type { HeaderBlock } from '../wire/header-block.ts';
import { explainRequest, leadsNowhere } from './explain-request.ts';
import { headersThatFit } from './unlogged-headers.ts';
import type { StepUp } from '../policy/facts.ts';
import type { RoutingTable } from './table.ts';

/** Of a line of the log, what is needed here. */
export interface LoggedRequest {
  readonly who: string;
  readonly ip: string | null;
  readonly method: string;
  readonly host: string;
  /** With its query. */
  readonly path: string;
  readonly decision: string;
  /** Label of the route that took it; null: the line does not say. */
  readonly route: string | null;
}

/** What is known of a person now. */
export interface KnownPerson {
  readonly provider: string;
  readonly name: string;
  readonly groups: readonly string[];
  readonly roles?: readonly string[];
  /** Verified. */
  readonly email?: string | null;
}

/** `no-app`: let in, and led nowhere. */
export type Outcome = 'allow' | 'no-app' | 'deny' | 'sign-in' | 'challenge' | 'nothing';

export interface Verdict {
  readonly outcome: Outcome;
  /** The rule, or why there is none. */
  readonly by: string;
}

export interface Change {
  readonly who: string;
  /** Host and route pattern of the new document, or of the old one where the new has none. */
  readonly route: string;
  readonly before: Verdict;
  readonly after: Verdict;
  readonly requests: number;
  /** One of them. */
  readonly example: string;
}

export interface PolicyDiff {
  readonly requests: number;
  readonly changes: readonly Change[];
  /** Lines that the old document decides otherwise than they were: who, and how many. */
  readonly unclear: readonly { readonly who: string; readonly requests: number }[];
}

/** Beyond so many different requests the oldest answers are forgotten, not the counts. */
const MOST_REMEMBERED = 50_000;
const DECIDED: ReadonlySet<string> = new Set(['allow', 'deny', 'sign-in', 'challenge']);
/** Of `postern forward-auth` and `guard`, which call them otherwise. */
const DECIDED_BY_SETTINGS: ReadonlySet<string> = new Set(['enter', 'pass', 'forbid']);
const NOWHERE = { host: '', scope: '' } as const;
const MACHINE = /^(service|token|link):(.+)$/s;

/**
 * `other`: no rule decided it (own pages, redirects), or it is another kind of line. `damaged`: no whole line of a log in
 * JSON. `settings`: a request that no rules of a document decided, but settings of `postern forward-auth`.
 */
export function readLogLine(text: string): LoggedRequest | 'other' | 'damaged' | 'settings' {
  let line: Record<string, unknown>;
  try {
    line = JSON.parse(text) as Record<string, unknown>;
  } catch {
    return text.trim() === '' ? 'other' : 'damaged';
  }
  if (typeof line !== 'object' || line === null || Array.isArray(line)) return 'damaged';
  if (line['kind'] !== 'request') return 'other';
  const { who, method, decision, reason, ip } = line;
  // Whoever is refused before they come to an app was on the sign-in host, on the way to open something.
  const isOnTheWay = line['wantedHost'] !== undefined;
  const { host, path } = isOnTheWay ? { host: line['wantedHost'], path: line['wantedPath'] } : line;
  if (typeof method !== 'string' || typeof host !== 'string' || typeof path !== 'string') return 'damaged';
  if (typeof who !== 'string') return 'damaged';
  if (typeof decision !== 'string') return 'other';
  if (!DECIDED.has(decision)) return DECIDED_BY_SETTINGS.has(decision) ? 'settings' : 'other';
  // Whose credential was wrong, and who may not sign in, no rule says.
  if (reason === 'credential-refused' || reason === 'not-admitted') return 'other';
  const address = typeof ip === 'string' ? normaliseIp(ip) : null;
  const route = typeof line['route'] === 'string' ? line['route'] : null;
  const asked = { host, path, method: isOnTheWay ? 'GET' : method, route };
  return { who, ...asked, decision: reason === 'no-app' ? reason : decision, ip: address };
}

export interface DiffTables {
  readonly before: RoutingTable;
  readonly after: RoutingTable;
}

export interface PolicyDiffer {
  readonly add: (request: LoggedRequest) => void;
  readonly result: () => PolicyDiff;
}

export function createPolicyDiffer(tables: DiffTables, people: readonly KnownPerson[]): PolicyDiffer {
  const known = new Map(people.map((one) => [`${one.provider}:${one.name}`, one]));
  const answers = new Map<string, Judged | null>();
  const changes = new Map<string, Change>();
  const unclear = new Map<string, number>();
  let requests = 0;
  const judge = (request: LoggedRequest): Judged | null => {
    const { who, ip, method, host, path, decision, route } = request;
    const key = JSON.stringify([who, ip, method, host, path, decision, route]);
    let answer = answers.get(key);
    if (answer === undefined) {
      answer = judgeAll(tables, request, identitiesOf(request, known));
      if (answers.size >= MOST_REMEMBERED) answers.clear();
      answers.set(key, answer);
    }
    return answer;
  };
  return {
    add(request) {
      requests++;
      const judged = judge(request);
      if (judged === null) {
        unclear.set(request.who, (unclear.get(request.who) ?? 0) + 1);
        return;
      }
      const [before, after, route] = judged;
      if (before.outcome === after.outcome) return;
      const key = JSON.stringify([request.who, route, before, after]);
      const seen = changes.get(key);
      const example = seen?.example ?? `${request.method} ${request.host}${request.path}`;
      changes.set(key, { who: request.who, route, before, after, example, requests: (seen?.requests ?? 0) + 1 });
    },
    result: () => ({
      requests,
      changes: [...changes.values()].sort((a, b) => b.requests - a.requests || (a.who < b.who ? -1 : 1)),
      unclear: [...unclear].map(([who, count]) => ({ who, requests: count })).sort((a, b) => b.requests - a.requests),
    }),
  };
}

type Judged = readonly [before: Verdict, after: Verdict, route: string];

/**
 * Null: unclear. What headers chose the route, and where a link led, is not in the log: whatever fits the line has to
 * come to the same.
 */
function judgeAll(tables: DiffTables, request: LoggedRequest, identities: readonly Identity[]): Judged | null {
  let found: Judged | null = null;
  for (const headers of headersThatFit(tables, request)) {
    for (const identity of identities) {
      const judged = judgeBoth(tables, { ...request, headers }, identity);
      if (judged[0].outcome !== request.decision) continue;
      if (found !== null && found[1].outcome !== judged[1].outcome) return null;
      found ??= judged;
    }
  }
  return found;
}

interface WithHeaders extends LoggedRequest {
  readonly headers: HeaderBlock;
}

function judgeBoth(tables: DiffTables, request: WithHeaders, identity: Identity): Judged {
  let [before, oldRoute, needs] = verdictOf(tables.before, request, identity);
  let who = identity;
  // Whoever came in has shown what the route asked for then. What only the new one asks for is a change.
  if (needs !== null && request.decision !== 'sign-in' && identity.kind === 'person') {
    who = { kind: 'person', person: { ...identity.person, ...proofOf(needs) } };
    [before, oldRoute] = verdictOf(tables.before, request, who);
  }
  const [after, newRoute] = verdictOf(tables.after, request, who);
  return [before, after, newRoute ?? oldRoute ?? request.host];
}

/** Any time will do: nothing else is judged by it. */
const NOW = 1;

function proofOf({ secondFactor, acr, maxAgeMs }: StepUp): Partial<Person> {
  const level = acr[0] === undefined ? {} : { acr: acr[0] };
  return {
    ...(secondFactor ? { amr: ['mfa'] } : {}),
    ...level,
    ...(maxAgeMs === null ? {} : { authenticatedAt: NOW }),
  };
}

/** Browsers that came by a link ask for more than it leads to (`/favicon.ico`): one asked within its place or outside. */
function identitiesOf({ who }: LoggedRequest, known: ReadonlyMap<string, KnownPerson>): readonly Identity[] {
  if (who === '-') return [ANONYMOUS];
  const machine = MACHINE.exec(who);
  if (machine?.[1] === 'link') {
    const link = { kind: 'link', name: machine[2] ?? '' } as const;
    return [
      { ...link, place: 'anywhere' },
      { ...link, place: NOWHERE },
    ];
  }
  if (machine !== null) return [{ kind: machine[1] as 'service' | 'token', name: machine[2] ?? '' }];
  const colon = who.indexOf(':');
  const [provider, name] = [who.slice(0, colon), who.slice(colon + 1)];
  return [{ kind: 'person', person: personFrom(known.get(who) ?? { provider, name, groups: [] }) }];
}

function personFrom({ provider, name, groups, roles = [], email = null }: KnownPerson): Person {
  const attributes = { email, emailVerified: email !== null, groups, roles };
  return { provider, subject: name, name, displayName: name, ...attributes, amr: [] };
}

function verdictOf(
  table: RoutingTable,
  { method, host, path, ip, headers }: WithHeaders,
  identity: Identity,
): readonly [Verdict, route: string | null, needs: StepUp | null] {
  const url = `https://${host}${path}`;
  const explanation = explainRequest(table, { url, method, identity, ip, headers, now: NOW });
  if (explanation.kind !== 'route') {
    const route = explanation.kind === 'no-route' ? explanation.host.name : null;
    return [{ outcome: 'nothing', by: explanation.kind }, route, null];
  }
  const { decision, route } = explanation;
  const needs = decision.kind === 'sign-in' ? (decision.needs ?? null) : null;
  const outcome = leadsNowhere(explanation) ? 'no-app' : decision.kind;
  return [{ outcome, by: decision.rule }, route.label, needs];
}
