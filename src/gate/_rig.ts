/** What the gate's tests share: a store that can fail or wait, a clock, requests without a socket. */
import { createGate } from './gate.ts';
import { HeaderBlock } from '../wire/header-block.ts';
import { keyOfToken, mintToken } from '../session/token.ts';
import type { Person } from '../core/person.ts';
import type { Exchange } from '../wire/exchange.ts';
import type { Decision, Facts } from '../policy/facts.ts';
import type { Gate, GatePolicy, GateSettings, Judged } from './gate.ts';
import { NO_BEARER_ISSUERS } from './bearer-issuers.ts';
import type { BearerAnswer, BearerView, SessionAnswer, SessionView } from './ports.ts';
import { mintServiceToken, serviceTokenPrefix } from '../session/service-token.ts';

export const COOKIE = '__Host-postern-k3v9';
export const HOST = 'app.example';
export const PREFIX: string = serviceTokenPrefix('k3v9');
export const ADA: Person = {
  provider: 'local',
  subject: 's-1',
  name: 'ada',
  displayName: 'Ada',
  email: null,
  emailVerified: false,
  groups: ['ops'],
  roles: [],
  amr: ['pwd'],
};

export interface Rig {
  readonly gate: Gate;
  readonly sessions: Map<string, SessionView>;
  readonly tokens: Map<string, BearerView>;
  readonly tokenReports: (readonly [key: string, at: number])[][];
  readonly clock: { at: number; now: () => number };
  readonly state: {
    store: 'up' | 'down' | 'stuck';
    heard: boolean;
    lookUps: number;
    verified: number;
    busy: boolean;
    version: string;
    /** Runs between the store's answer and its arrival. */
    beforeAnswer: (() => void) | null;
    beforeTokenAnswer: (() => void) | null;
    verifyBearer: (token: string) => BearerAnswer;
  };
  readonly settings: { -readonly [K in keyof GateSettings]: GateSettings[K] };
  readonly reports: (readonly [key: string, at: number])[][];
  /** A machine's token. */
  mintToken(name: string, expiresAt?: number): string;
  /** A session on a host; answers its token. */
  signIn(over?: Partial<SessionView>): string;
  ask(headers: Record<string, string | string[]>, policy?: GatePolicy, ip?: string | null): Promise<Judged>;
  askAt(host: string, headers: Record<string, string | string[]>): Promise<Judged>;
}

// oxlint-disable-next-line max-lines-per-function -- a rig of a test, one object
export function createRig(): Rig {
  const clock = { at: 1_000_000, now: () => clock.at };
  const sessions = new Map<string, SessionView>();
  const state: Rig['state'] = {
    store: 'up',
    heard: true,
    lookUps: 0,
    verified: 0,
    busy: false,
    version: 'v1',
    beforeAnswer: null,
    beforeTokenAnswer: null,
    verifyBearer: () => ({ kind: 'absent' }),
  };
  const settings: Rig['settings'] = {
    staleForMs: 60_000,
    idleMs: 7_200_000,
    noteMs: 60_000,
    cookieName: COOKIE,
    plainCookieName: 'postern-k3v9',
    shared: null,
    bearers: NO_BEARER_ISSUERS,
    serviceVersion: (service) => (service === 'promtail' ? state.version : null),
  };
  const reports: Rig['reports'] = [];
  const tokens = new Map<string, BearerView>();
  const tokenReports: Rig['tokenReports'] = [];
  const gate = createGate({
    clock,
    tokenPrefix: PREFIX,
    async verifyBearer(_provider, token) {
      state.lookUps++;
      await Promise.resolve();
      return state.verifyBearer(token);
    },
    reportTokenUse: (seen) => tokenReports.push([...seen]),
    async findToken(key) {
      state.lookUps++;
      if (state.store === 'down') return { kind: 'unavailable' };
      const session = tokens.get(key);
      const isAlive = session !== undefined && clock.at < session.expiresAt;
      await Promise.resolve();
      state.beforeTokenAnswer?.();
      return isAlive ? { kind: 'found', session } : { kind: 'absent' };
    },
    settings: () => settings,
    isConfirmed: () => state.heard,
    reportUse: (seen) => reports.push([...seen]),
    async find(key) {
      state.lookUps++;
      if (state.store === 'down') return { kind: 'unavailable' };
      const session = sessions.get(key);
      const answer: SessionAnswer = session === undefined ? { kind: 'absent' } : { kind: 'found', session };
      await Promise.resolve();
      state.beforeAnswer?.();
      return answer;
    },
    async verifyPassword(service, password) {
      state.verified++;
      await Promise.resolve();
      if (state.busy) return 'busy';
      return service === 'promtail' && password === 'secret' ? 'ok' : 'wrong';
    },
  });
  return {
    gate,
    sessions,
    tokens,
    tokenReports,
    mintToken(name, expiresAt = Number.MAX_SAFE_INTEGER) {
      const token = mintServiceToken(PREFIX);
      const key = keyOfToken(token);
      tokens.set(key, { key, identity: { kind: 'token', name }, expiresAt, lastSeenAt: 0 });
      return token;
    },
    clock,
    state,
    settings,
    reports,
    signIn(over = {}) {
      const token = mintToken();
      const key = keyOfToken(token);
      sessions.set(key, {
        key,
        parent: 'p',
        host: HOST,
        person: ADA,
        expiresAt: clock.at + 43_200_000,
        lastSeenAt: clock.at,
        ...over,
      });
      return token;
    },
    askAt: async (host, headers) => gate.judge(request(headers), { policy: signedIn(), host, scheme: 'https' }, null),
    ask: async (headers, policy = signedIn(), ip = '192.0.2.1') =>
      gate.judge(request(headers), { policy, host: HOST, scheme: 'https' }, ip),
  };
}

export function request(headers: Record<string, string | string[]>): Exchange {
  const head = {
    method: 'GET',
    path: '/',
    query: '',
    host: HOST,
    port: null,
    version: '1.1',
    headers: HeaderBlock.from(headers),
  };
  return { request: head, connection: { clientCertificate: null } } as unknown as Exchange;
}

let lastId = 0;

/** A policy from a function, with the traits of the rules that it stands for. */
export function policy(decide: (facts: Facts) => boolean, over: Partial<GatePolicy> = {}): GatePolicy {
  const answer = (facts: Facts): Decision => {
    if (decide(facts)) return { kind: 'allow', rule: 'test' };
    return facts.identity.kind === 'anonymous'
      ? { kind: 'sign-in', rule: 'test' }
      : { kind: 'deny', rule: 'test', reason: 'test' };
  };
  return {
    id: `policy-${++lastId}`,
    isPublic: false,
    dependsOnlyOnIdentity: true,
    maxAgeMs: null,
    acceptsServices: false,
    decide: answer,
    ...over,
  };
}

export function signedIn(): GatePolicy {
  return policy(({ identity }) => identity.kind === 'person');
}

export const basic = (name: string, password: string): string =>
  `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`;
export const cookie = (...tokens: string[]): { Cookie: string } => ({
  Cookie: tokens.map((token) => `${COOKIE}=${token}`).join('; '),
});
/** Lets in whoever is somebody, machines too. */
export const services = (): GatePolicy =>
  policy(({ identity }) => identity.kind !== 'anonymous', { acceptsServices: true });
