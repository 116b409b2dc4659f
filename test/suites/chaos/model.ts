/**
 * What must be so, whatever happens to the gateway: who is signed in with what, what the rules in force say, and what of it
 * is not known at this moment, since an order is under way. A request is judged by all that was possible from its start to
 * its answer, so that nothing depends on how fast anything is.
 */

export type Truth = 'yes' | 'no' | 'maybe';
/** `in`: the app, as who they are. `nobody`: the app, nameless. `gone`: there is no such host. `failed`: no answer. */
export type Outcome = 'in' | 'nobody' | 'refused' | 'gone' | 'failed';

export interface Member {
  readonly provider: string;
  readonly name: string;
  /** As apps learn it; '' until the first sign-in of a local account. */
  subject: string;
}

export interface HostRules {
  readonly allow: readonly string[];
  readonly deny: readonly string[];
  readonly needsFactor: boolean;
  /** A level that the provider has to say; null: none. */
  readonly acr: string | null;
  /** How old a sign-in may be. */
  readonly maxAgeMs: number | null;
}

/** What an access token says of itself. */
export interface Jwt {
  readonly groups: readonly string[];
  readonly endsAt: number;
  readonly kid: string;
  /** Whether the provider still has its key, as far as the gateway must have seen. */
  isKeyThere: Truth;
}

export interface Doc {
  readonly hosts: ReadonlyMap<string, HostRules>;
  readonly providers: ReadonlySet<string>;
  readonly lifetime: string;
}

export interface Session {
  readonly number: number;
  /** Null: by a link. */
  readonly member: Member | null;
  /** "kc:alice", "token:ci", "link:a": as the log has it. */
  readonly who: string;
  readonly subject: () => string;
  readonly bornAt: number;
  /** Session of the provider. */
  readonly sid: string;
  /** Hash of the sign-in's cookie, as the list of sessions begins. */
  key: string;
  alive: Truth;
  /** The provider may end it at the next question: that it lives now says nothing. */
  isDoubtful: boolean;
  hasFactor: Truth;
  /** Cookies by host, as they were when the host was entered: of those that have ended, too. */
  readonly cookies: Map<string, string>;
  readonly entered: Map<string, Truth>;
  /** Level that the provider said; local accounts have none. */
  acr: string | null;
  /** When they signed in: not before, not after; null: the provider does not say. */
  signedInAt: readonly [number, number] | null;
  /** What a machine sends instead. */
  readonly bearer: string | null;
  /** Where that is an access token of a provider. */
  readonly jwt: Jwt | null;
  /** The only host that a link opens, and all that its cookie is good for. */
  readonly place: string | null;
}

interface Watch {
  readonly now: () => ReadonlySet<Outcome>;
  readonly seen: Set<Outcome>;
}

export class Model {
  /** One, or two while a reload is under way. */
  docs: readonly Doc[];
  readonly sessions: Session[] = [];
  /** Group sets that a person may be known with, by `who`. */
  readonly groups: Map<string, readonly (readonly string[])[]> = new Map();
  /** ".corp.test" where one cookie is for all its hosts. */
  readonly domain: string | null;
  /** Connections may break: a worker or the whole process is being killed. */
  isShaken = false;
  readonly #watches = new Set<Watch>();

  constructor(first: Doc, domain: string | null) {
    this.docs = [first];
    this.domain = domain;
  }

  /** Every change goes through here: what is under way meanwhile may be answered by either. */
  change(make: () => void): void {
    make();
    for (const watch of this.#watches) for (const one of watch.now()) watch.seen.add(one);
  }

  /** Answers all outcomes that were possible until it is called: by changes, and by the time that goes by. */
  watch(now: () => ReadonlySet<Outcome>): () => ReadonlySet<Outcome> {
    const watch = { now, seen: new Set(now()) };
    this.#watches.add(watch);
    return () => {
      this.#watches.delete(watch);
      for (const one of now()) watch.seen.add(one);
      return watch.seen;
    };
  }

  /** Everybody may come there without a name. */
  isOpen(host: string): boolean {
    return this.docs.some((doc) => doc.hosts.get(host)?.allow.includes('public') === true);
  }

  isShared(host: string): boolean {
    return this.domain !== null && host.endsWith(this.domain);
  }

  /** A request with the cookie that the session has for `of`; `isPage`: what a browser comes to by its redirects. */
  outcomes(
    session: Session | null,
    host: string,
    how: { readonly of?: string; readonly isPage?: boolean } = {},
  ): Set<Outcome> {
    const found = new Set<Outcome>(this.isShaken ? ['failed'] : []);
    for (const doc of this.docs) {
      const rules = doc.hosts.get(host);
      // To a document without its provider an access token is the app's own.
      const isForeign = session?.jwt != null && !doc.providers.has(session.member?.provider ?? '');
      if (rules === undefined) found.add('gone');
      else for (const one of this.#judge(isForeign ? null : session, rules, { host, ...how })) found.add(one);
    }
    return found;
  }

  #judge(
    session: Session | null,
    rules: HostRules,
    { host, of = host, isPage = false }: { readonly host: string; readonly of?: string; readonly isPage?: boolean },
  ): Outcome[] {
    const found: Outcome[] = [];
    const known = session === null ? 'no' : this.#isKnown(session, { host, of, isPage: isPage && !isPublic(rules) });
    if (known !== 'yes') found.push(...namelessAt(rules, session));
    if (session === null || known === 'no') return found;
    const now = Date.now();
    for (const groups of this.groupsOf(session))
      for (const hasFactor of truths(session.hasFactor))
        for (const isFresh of truths(freshness(rules, session, now)))
          found.push(admits(rules, session, { groups, hasFactor, isFresh }) ? 'in' : 'refused');
    return found;
  }

  /** An access token says which of its own; those of a session follow the provider's. */
  groupsOf({ who, jwt }: Session): readonly (readonly string[])[] {
    return jwt === null ? (this.groups.get(who) ?? [[]]) : [jwt.groups];
  }

  #isKnown(
    session: Session,
    { host, of, isPage }: { readonly host: string; readonly of: string; readonly isPage: boolean },
  ): Truth {
    if (session.jwt !== null) return Date.now() < session.jwt.endsAt ? session.jwt.isKeyThere : 'no';
    if (session.bearer !== null) return session.alive;
    if (session.place !== null && session.place !== host) return 'no';
    if (this.isShared(host) && this.isShared(of)) return session.alive;
    if (host !== of) return 'no';
    return isPage ? session.alive : both(session.alive, session.entered.get(host) ?? 'no');
  }
}

function isPublic(rules: HostRules): boolean {
  return rules.allow.includes('public');
}

/** A machine's credential that counts no more is nobody's where everybody may come, and refused where a rule is looked at. */
function namelessAt(rules: HostRules, session: Session | null): readonly Outcome[] {
  if (!isPublic(rules)) return ['refused'];
  return (session?.bearer ?? null) === null || rules.deny.length === 0 ? ['nobody'] : ['refused'];
}

function both(a: Truth, b: Truth): Truth {
  if (a === 'no' || b === 'no') return 'no';
  return a === 'yes' && b === 'yes' ? 'yes' : 'maybe';
}

function truths(one: Truth): readonly boolean[] {
  return one === 'maybe' ? [true, false] : [one === 'yes'];
}

/** The gateway judges at some moment of the request: whoever asks looks before it and behind it. */
function freshness({ maxAgeMs }: HostRules, { signedInAt }: Session, now: number): Truth {
  if (maxAgeMs === null) return 'yes';
  if (signedInAt === null) return 'no';
  const [from, to] = signedInAt;
  if (now < from + maxAgeMs) return 'yes';
  return now < to + maxAgeMs ? 'maybe' : 'no';
}

interface Facts {
  readonly groups: readonly string[];
  readonly hasFactor: boolean;
  readonly isFresh: boolean;
}

export function admits(rules: HostRules, session: Session, facts: Facts): boolean {
  if (rules.deny.some((rule) => matches(rule, session, facts))) return false;
  if (session.member !== null && !hasShown(rules, session, facts)) return false;
  return rules.allow.some((rule) => matches(rule, session, facts));
}

/** Of a local account a second factor stands for any level. */
function hasShown(rules: HostRules, { member, acr }: Session, { hasFactor, isFresh }: Facts): boolean {
  const isLevelHigh = member?.provider === 'local' ? hasFactor : acr === rules.acr;
  return (hasFactor || !rules.needsFactor) && (isLevelHigh || rules.acr === null) && isFresh;
}

function matches(rule: string, { member, who }: Session, { groups }: Facts): boolean {
  if (rule === 'public') return true;
  if (rule === 'signed-in') return member !== null;
  if (rule === 'link') return who.startsWith('link:');
  if (rule.startsWith('token:')) return who === rule;
  const [provider, kind, ...rest] = rule.split(':');
  if (member?.provider !== provider) return false;
  const value = rest.join(':');
  return kind === 'user' ? member?.name === value : groups.includes(value);
}
