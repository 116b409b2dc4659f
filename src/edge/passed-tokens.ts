/**
 * Tokens of a person's provider on their way to an app whose route asks for them. This worker holds them
 * for sessions that are used on such a route, and lets go of them when they are due, when the sign-in
 * ends or is renewed, and when a new document comes. They go into that one request and nowhere else.
 */
import { inTime } from '../core/patience.ts';
import type { Clock } from '../core/clock.ts';
import type { IdentityHeaders as Naming, TokenField, TokenKind } from '../config/document/identity-headers.ts';
import type { SessionView, TokenAnswer } from '../gate/ports.ts';
import type { IdentityHeaders } from './identity-headers.ts';

const MAX_SIGN_INS = 20_000;
const MAX_FLIGHTS = 2_000;
/** A provider may be asked on the way, which has ten seconds. */
const WAIT_MS = 11_000;
/** After `unavailable` and `expired`: a provider that is down is no reason to ask the control thread for every request. */
const DOUBT_MS = 500;
const SWEEP_MS = 10_000;

/** What a worker asks the control thread for. */
export interface TokenWish {
  /** Key of the session that the request came with. */
  readonly key: string;
  readonly host: string;
  readonly tokens: readonly TokenKind[];
}

/** Fields with tokens. */
export interface PassedHeaders {
  readonly fields: IdentityHeaders;
  /** The same behind what is said of the person: one list for as long as both stay. */
  joined: { readonly base: IdentityHeaders; readonly all: IdentityHeaders } | null;
}

export interface PassedTokensDeps {
  readonly find: (wish: TokenWish) => Promise<TokenAnswer>;
  readonly clock: Clock;
}

/** `expired`: only another sign-in brings one that is good. */
export type Passed = PassedHeaders | 'unavailable' | 'expired';

interface Held {
  readonly answer: Passed;
  readonly until: number;
}

interface Flight {
  promise: Promise<Passed>;
  /** Something changed after the question was sent. */
  isTainted: boolean;
}

type OfSignIn<T> = Map<string, Map<Naming, T>>;

export class PassedTokens {
  readonly #deps: PassedTokensDeps;
  /** By key of the sign-in, the longest held first. */
  readonly #held: OfSignIn<Held> = new Map();
  readonly #flights: OfSignIn<Flight> = new Map();
  #flying = 0;
  #sweptAt = 0;

  constructor(deps: PassedTokensDeps) {
    this.#deps = deps;
  }

  /** Sign-ins with a token here. */
  get size(): number {
    return this.#held.size;
  }

  find(naming: Naming, session: SessionView, host: string): Passed | Promise<Passed> {
    const held = this.#held.get(session.parent)?.get(naming);
    if (held !== undefined && this.#deps.clock.now() < held.until) return held.answer;
    const flying = this.#flights.get(session.parent)?.get(naming);
    if (flying !== undefined) return flying.promise;
    if (this.#flying >= MAX_FLIGHTS) return 'unavailable';
    return this.#ask(naming, session, host);
  }

  /** Sign-ins that ended, or whose tokens were renewed. */
  drop(keys: readonly string[]): void {
    for (const key of keys) {
      this.#held.delete(key);
      for (const flight of this.#flights.get(key)?.values() ?? []) flight.isTainted = true;
    }
  }

  clear(): void {
    this.#held.clear();
    for (const flights of this.#flights.values()) for (const flight of flights.values()) flight.isTainted = true;
  }

  /** What is due is let go, asked for or not. */
  tick(): void {
    const now = this.#deps.clock.now();
    if (now - this.#sweptAt < SWEEP_MS) return;
    this.#sweptAt = now;
    for (const [key, ofNaming] of this.#held) {
      for (const [naming, { until }] of ofNaming) if (until <= now) ofNaming.delete(naming);
      if (ofNaming.size === 0) this.#held.delete(key);
    }
  }

  #ask(naming: Naming, session: SessionView, host: string): Promise<Passed> {
    const flight: Flight = { promise: Promise.resolve('unavailable'), isTainted: false };
    put(this.#flights, session.parent, naming, flight);
    this.#flying++;
    flight.promise = this.#settle(naming, session, { host, flight }).finally(() => {
      this.#flying--;
      const others = this.#flights.get(session.parent);
      others?.delete(naming);
      if (others?.size === 0) this.#flights.delete(session.parent);
    });
    return flight.promise;
  }

  async #settle(
    naming: Naming,
    { key, parent }: SessionView,
    { host, flight }: { readonly host: string; readonly flight: Flight },
  ): Promise<Passed> {
    const tokens = [...new Set(naming.tokens.map(({ token }) => token))];
    // The control thread may be stuck: no answer in time is no answer.
    const ask = (): Promise<TokenAnswer> =>
      inTime<TokenAnswer>(this.#deps.find({ key, host, tokens }), WAIT_MS, { kind: 'unavailable' });
    let answer = await ask();
    // It may be older than the change.
    if (flight.isTainted && answer.kind === 'found') {
      flight.isTainted = false;
      answer = await ask();
    }
    const made = passedOf(naming, answer);
    const until = answer.kind === 'found' ? answer.until : this.#deps.clock.now() + DOUBT_MS;
    if (!flight.isTainted && answer.kind !== 'absent') this.#keep(naming, parent, { answer: made, until });
    return made;
  }

  #keep(naming: Naming, parent: string, held: Held): void {
    put(this.#held, parent, naming, held);
    if (this.#held.size > MAX_SIGN_INS) this.#held.delete(this.#held.keys().next().value as string);
  }
}

function put<T>(all: OfSignIn<T>, parent: string, naming: Naming, value: T): void {
  let ofNaming = all.get(parent);
  if (ofNaming === undefined) all.set(parent, (ofNaming = new Map()));
  ofNaming.set(naming, value);
}

function passedOf(naming: Naming, answer: TokenAnswer): Passed {
  if (answer.kind === 'found') return { fields: fieldsOf(naming, answer), joined: null };
  return answer.kind === 'expired' ? 'expired' : 'unavailable';
}

function fieldsOf(naming: Naming, answer: TokenAnswer & { readonly kind: 'found' }): IdentityHeaders {
  return naming.tokens.flatMap(({ name, token }) => {
    const value = token === 'id_token' ? answer.idToken : answer.accessToken;
    if (value === null) return [];
    return [[name, isAuthorization(name) ? `Bearer ${value}` : value] as const];
  });
}

/** What the app is told, tokens last. */
export function withTokens(base: IdentityHeaders, tokens: PassedHeaders | null): IdentityHeaders {
  if (tokens === null || tokens.fields.length === 0) return base;
  if (tokens.joined?.base !== base) tokens.joined = { base, all: [...base, ...tokens.fields] };
  return tokens.joined.all;
}

export function isAuthorization(name: string): boolean {
  return name.toLowerCase() === 'authorization';
}

/** The client's own field goes, whether there is a token to put into its place or not. */
export function replacesAuthorization({ tokens }: { readonly tokens: readonly TokenField[] }): boolean {
  for (const { name } of tokens) if (isAuthorization(name)) return true;
  return false;
}
