/** What all actions share: the model, the gateway, browsers, and the book of what went wrong. */
import type { Agent } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { keyOfToken } from '../../../src/session/token.ts';
import type { TwinKey } from '../../../src/sign-in/oidc/_twin-keys.ts';
import type { Dice } from '../../support/dice.ts';
import { createVisitor, type Visit, type Visitor } from '../../support/visitor.ts';
import { ask, brokenBy, createAgent, seenOf, type Asking, type Seen } from './client.ts';
import { Http2Clients } from './client-h2.ts';
import type { Gateway } from './gateway.ts';
import type { Member, Model, Outcome, Session } from './model.ts';
import { AUTH, HOME, HOSTS, STEPS, type World } from './world.ts';

export const NAVIGATION = {
  accept: 'text/html',
  'sec-fetch-mode': 'navigate',
  'sec-fetch-dest': 'document',
  'sec-fetch-site': 'none',
};
const STALL_MS = 5_000;
const STALL_COUNTS_MS = 70_000;
const RETRY_MS = 500;
const MOST_TRIES = 20;
/** Of an access token while its provider may be away: nobody knows whether it is good. */
const MOST_TRIES_OF_A_TOKEN = 2;
/** A provider that failed is not asked about strangers' tokens for ten seconds, and its description later yet. */
const AWAY_COUNTS_MS = 90_000;
const SESSION_COOKIE = /^__(?:Host|Secure)-postern-[a-z0-9]+$/;

export interface Browser {
  readonly number: number;
  visitor: Visitor;
  session: Session | null;
}

/** An answer that the log has to agree with. */
export interface Entry {
  readonly host: string;
  readonly path: string;
  readonly status: number;
  readonly outcome: Outcome;
  readonly who: string;
  readonly at: number;
}

export interface Local {
  password: string;
  /** Codes that are left; null: there is no second factor. */
  recovery: string[] | null;
  enabled: boolean;
}

export class Stage {
  readonly world: World;
  readonly gateway: Gateway;
  readonly model: Model;
  readonly dice: Dice;
  readonly browsers: Browser[];
  readonly agents: readonly [Agent, Agent] = [createAgent(), createAgent()];
  readonly http2: Http2Clients = new Http2Clients();
  readonly violations: string[] = [];
  readonly secrets: Set<string> = new Set();
  readonly entries: Entry[] = [];
  readonly kills: number[] = [];
  readonly locals: Map<string, Local> = new Map();
  /** Providers that are stopped. */
  readonly away: Set<string> = new Set();
  /** Used-up callbacks, landings and links. */
  readonly used: { readonly url: string; readonly kind: string }[] = [];
  /** The last that the gateway must have seen to be gone, by provider. */
  readonly goneKeys: Map<string, TwinKey> = new Map();
  readonly history: string[] = [];
  asked = 0;
  /** Two things happen at once: what an order came to is not known. */
  isCrossing = false;
  #sessions = 0;
  readonly #backAt = new Map<string, number>();
  #beatAt = Date.now();
  #stalledAt = 0;
  readonly #pulse: NodeJS.Timeout = setInterval(() => this.#beat(), 100);

  constructor(parts: Pick<Stage, 'world' | 'gateway' | 'model' | 'dice'>, browsers: number) {
    ({ world: this.world, gateway: this.gateway, model: this.model, dice: this.dice } = parts);
    this.browsers = Array.from({ length: browsers }, (_, number) => ({
      number,
      visitor: createVisitor(),
      session: null,
    }));
  }

  /** The machine stood still a moment ago: what waited for an answer gave up, whatever the gateway did. */
  isStalled(): boolean {
    return Date.now() - this.#stalledAt < STALL_COUNTS_MS;
  }

  /** A moment ago it did not answer, or the gateway did not know it yet. */
  wasAway(provider: string): boolean {
    return this.away.has(provider) || Date.now() - (this.#backAt.get(provider) ?? 0) < AWAY_COUNTS_MS;
  }

  cameBack(provider: string): void {
    this.#backAt.set(provider, Date.now());
  }

  keyOf(provider: string): TwinKey {
    return (provider === 'kc' ? this.world.kc : this.world.corp).key();
  }

  close(): void {
    clearInterval(this.#pulse);
    this.http2.close();
    for (const agent of this.agents) agent.destroy();
  }

  #beat(): void {
    const now = Date.now();
    if (now - this.#beatAt > STALL_MS) this.#stalledAt = now;
    this.#beatAt = now;
  }

  wrong(what: string): void {
    this.violations.push(`${new Date().toISOString()} ${what}; just before: ${this.history.slice(-6).join(' | ')}`);
  }

  note(what: string): void {
    this.history.push(what);
  }

  addSession(facts: Partial<Session> & Pick<Session, 'member' | 'who' | 'subject'>): Session {
    const session = this.newSession(facts);
    this.model.change(() => this.model.sessions.push(session));
    return session;
  }

  newSession(facts: Partial<Session> & Pick<Session, 'member' | 'who' | 'subject'>): Session {
    return {
      number: this.#sessions++,
      bornAt: Date.now(),
      sid: '',
      key: '',
      alive: this.#mayStay(facts.member) ? 'yes' : 'maybe',
      isDoubtful: false,
      hasFactor: 'no',
      cookies: new Map(),
      entered: new Map(),
      acr: null,
      signedInAt: null,
      bearer: null,
      jwt: null,
      place: null,
      ...facts,
    };
  }

  /** Not known of who comes in while a reload takes the provider away: it ends them, and may have done so. */
  #mayStay(member: Member | null): boolean {
    return member === null || this.model.docs.every((doc) => doc.providers.has(member.provider));
  }

  /** Keeps the cookies as they are now, for as long as there is anybody to try them. */
  keepCookies(session: Session, browser: Browser, host: string): void {
    const { visitor } = browser;
    const hosts = [host, ...[...HOSTS, ...STEPS].filter((one) => this.model.isShared(one))];
    for (const one of hosts) session.cookies.set(one, visitor.cookieHeader(this.gateway.url(one)));
    for (const { name, value, domain } of visitor.cookies) {
      if (!SESSION_COOKIE.test(name) || value === '') continue;
      this.secrets.add(value);
      const isSignIn = domain === AUTH || `.${domain}` === this.model.domain;
      if (isSignIn && session.place === null) session.key = keyOfToken(value);
    }
  }

  /** A script's request; what comes of it is held against all that was possible meanwhile. */
  async ask(session: Session | null, host: string, of: string = host): Promise<Seen> {
    const { gateway, model } = this;
    const path = this.#pathFor(session);
    const how = {
      port: gateway.port,
      host,
      path,
      cookie: session?.cookies.get(of) ?? '',
      bearer: session?.bearer ?? null,
    };
    const possible = model.watch(() => model.outcomes(session, host, { of }));
    const isVague = session?.jwt != null && this.wasAway(session.member?.provider ?? '');
    const mostTries = isVague ? MOST_TRIES_OF_A_TOKEN : MOST_TRIES;
    const seen = await patiently(() => this.#send(how), mostTries);
    const outcomes = possible();
    // Of a token that nobody can look at nothing is known: whoever needs no name comes in, and others come again.
    if (isVague && seen.status === 503) return { ...seen, outcome: 'failed' };
    if (isVague && seen.outcome === 'nobody' && model.isOpen(host)) return seen;
    this.hold({ session, host, path, seen, outcomes });
    return seen;
  }

  /** By HTTP/2 as often as not. */
  #send(how: Asking): Promise<Seen> {
    const turn = this.asked % 4;
    return turn < 2 ? ask(this.agents[turn] as Agent, how) : this.http2.ask(how);
  }

  #pathFor(session: Session | null): string {
    const number = this.asked++;
    // A link opens what is below its place.
    return typeof session?.place === 'string' ? `/shared/${number}` : `/n/${number}`;
  }

  hold({
    session,
    host,
    path,
    seen,
    outcomes,
  }: {
    readonly session: Session | null;
    readonly host: string;
    readonly path: string;
    readonly seen: Seen;
    readonly outcomes: ReadonlySet<Outcome>;
  }): void {
    const { outcome, status, told, body } = seen;
    const about = `${session?.who ?? 'nobody'} (session ${session?.number ?? '-'}) at ${host}${path}`;
    if (outcome === 'failed' && this.isStalled()) return;
    if (outcome === 'wrong' || !outcomes.has(outcome)) {
      this.wrong(`${about}: ${outcome} (${status}), possible: ${[...outcomes].join()}: ${body.slice(0, 200)}`);
      return;
    }
    if (told !== null && told.path !== path) this.wrong(`${about}: an answer to ${told.path}`);
    if (outcome === 'in' && told !== null && session !== null) this.#holdIdentity(session, told, about);
    if (status !== 0) {
      const who = outcome === 'in' ? (session?.who ?? '-') : '-';
      this.entries.push({ host, path, status, outcome, who, at: Date.now() });
    }
  }

  #holdIdentity(session: Session, told: { subject: string; user: string; groups: string }, about: string): void {
    const subject = session.subject();
    if (told.subject !== subject) this.wrong(`${about}: the app was told "${told.subject}" in place of "${subject}"`);
    const known = this.model.groupsOf(session);
    const { member } = session;
    if (member !== null && !known.some((groups) => sorted(groups) === groupsIn(told.groups, member)))
      this.wrong(`${about}: groups "${told.groups}", possible: ${JSON.stringify(known)}`);
  }

  /** A page, by redirects: the app's, or one of ours. */
  async open(browser: Browser, host: string): Promise<Visit | null> {
    const { model, gateway } = this;
    const { session } = browser;
    const path = this.#pathFor(session);
    const possible = model.watch(() => model.outcomes(session, host, { isPage: true }));
    const page = await patiently(() => browser.visitor.open(gateway.url(host, path))).catch((error: unknown) => {
      return { url: '', status: 0, headers: {}, body: String(error) };
    });
    const outcomes = possible();
    const seen = pageSeen(page, host);
    this.hold({ session, host, path, seen, outcomes });
    if (seen.outcome === 'in' && session !== null) {
      model.change(() => session.entered.set(host, 'yes'));
      this.keepCookies(session, browser, host);
    }
    return page.status === 0 ? null : page;
  }

  /** Looks whether a session of which it was not known lives; once out, it stays out. */
  async settle(session: Session): Promise<void> {
    if (session.alive !== 'maybe' || this.model.isShaken) return;
    const host = session.place ?? HOME;
    const seen = await this.ask(session, host);
    if (seen.outcome === 'failed' || (seen.outcome === 'in' && session.isDoubtful)) return;
    this.model.change(() => (session.alive = seen.outcome === 'in' ? 'yes' : 'no'));
  }

  /** Access tokens aside: nobody ends those. */
  alive(): Session[] {
    return this.model.sessions.filter((one) => one.alive === 'yes' && one.jwt === null);
  }

  freeOf(session: Session): void {
    for (const browser of this.browsers) if (browser.session === session) this.renew(browser);
  }

  renew(browser: Browser): void {
    browser.visitor = createVisitor();
    browser.session = null;
  }

  who({ provider, name }: Member): string {
    return `${provider}:${name}`;
  }
}

/**
 * Nobody is let in or thrown out where the store does not answer within a second and a half (503, `Retry-After`), as on a
 * machine that stood still for as long: whoever gets that comes back. One that does not end is an answer.
 */
export async function patiently<T extends { readonly status: number }>(
  send: () => Promise<T>,
  mostTries: number = MOST_TRIES,
): Promise<T> {
  for (let tries = 1; ; tries++) {
    const answer = await send();
    if (answer.status !== 503 || tries === mostTries) return answer;
    await sleep(RETRY_MS);
  }
}

export function sorted(groups: readonly string[]): string {
  return groups.toSorted().join();
}

/** Apps are told the provider's id with each. */
export function groupsIn(text: string, { provider }: Member): string {
  return sorted(
    text.split(',').map((group) => (group.startsWith(`${provider}:`) ? group.slice(provider.length + 1) : group)),
  );
}

function pageSeen({ url, status, body }: Visit, host: string): Seen {
  if (status === 0) return brokenBy(body);
  const isApp = new URL(url).hostname === host && !url.includes('/.postern/');
  return status === 200 && !isApp ? { outcome: 'refused', status, told: null, body: '' } : seenOf(status, body);
}
