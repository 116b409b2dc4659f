/** What all actions share: the model, the gateway, browsers, and the book of what went wrong. */
import type { Agent } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { keyOfToken } from '../../../src/session/token.ts';
import type { Dice } from '../../support/dice.ts';
import { createVisitor, type Visit, type Visitor } from '../../support/visitor.ts';
import { ask, brokenBy, createAgent, seenOf, type Seen } from './client.ts';
import type { Gateway } from './gateway.ts';
import type { Member, Model, Outcome, Session } from './model.ts';
import { AUTH, HOME, HOSTS, type World } from './world.ts';

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
  readonly agents: readonly Agent[] = [createAgent(), createAgent()];
  readonly violations: string[] = [];
  readonly secrets: Set<string> = new Set();
  readonly entries: Entry[] = [];
  readonly kills: number[] = [];
  readonly locals: Map<string, Local> = new Map();
  /** Providers that are stopped. */
  readonly away: Set<string> = new Set();
  /** Used-up callbacks, landings and links. */
  readonly used: { readonly url: string; readonly kind: string }[] = [];
  readonly history: string[] = [];
  asked = 0;
  /** Two things happen at once: what an order came to is not known. */
  isCrossing = false;
  #sessions = 0;
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

  close(): void {
    clearInterval(this.#pulse);
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
    const session: Session = {
      number: this.#sessions++,
      bornAt: Date.now(),
      sid: '',
      key: '',
      alive: this.#mayStay(facts.member) ? 'yes' : 'maybe',
      isDoubtful: false,
      hasFactor: 'no',
      cookies: new Map(),
      entered: new Map(),
      bearer: null,
      place: null,
      ...facts,
    };
    this.model.change(() => this.model.sessions.push(session));
    return session;
  }

  /** Not known of who comes in while a reload takes the provider away: it ends them, and may have done so. */
  #mayStay(member: Member | null): boolean {
    return member === null || this.model.docs.every((doc) => doc.providers.has(member.provider));
  }

  /** Keeps the cookies as they are now, for as long as there is anybody to try them. */
  keepCookies(session: Session, browser: Browser, host: string): void {
    const { visitor } = browser;
    const hosts = [host, ...HOSTS.filter((one) => this.model.isShared(one))];
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
    const seen = await patiently(() => ask(this.agents[this.asked % this.agents.length] as Agent, how));
    const outcomes = possible();
    this.hold({ session, host, path, seen, outcomes });
    return seen;
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
    const known = this.model.groups.get(session.who) ?? [[]];
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

  alive(): Session[] {
    return this.model.sessions.filter((one) => one.alive === 'yes');
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
export async function patiently<T extends { readonly status: number }>(send: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    const answer = await send();
    if (answer.status !== 503 || tries === MOST_TRIES) return answer;
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
