/**
 * Second factors of local accounts, on the control thread: authenticator apps, passkeys, recovery
 * codes. Secrets are sealed, recovery codes kept as hashes; each code of any kind works once. What can
 * be guessed is slowed down per account: whoever gets this far knows the password already, so nobody
 * else can keep its owner waiting.
 */
import { hash, randomBytes } from 'node:crypto';
import type { Clock } from '../core/clock.ts';
import type { FactorStore, StoredFactor } from '../core/factor-store.ts';
import { createGuessLimit } from './guess-limit.ts';
import { sealJson, unsealJson, type SealKey } from './seal.ts';
import { takeTotp, type TotpState } from './totp.ts';

export const RECOVERY_CODES = 10;
/** A person with more of one kind has lost sight of them. */
export const MAX_FACTORS = 20;
const RECOVERY_BYTES = 10;

export interface PasskeyState {
  readonly credentialId: string;
  /** COSE key, base64url. */
  readonly publicKey: string;
  readonly counter: number;
  readonly transports: readonly string[];
  /** It may be on several devices (backup eligible, which never changes: WebAuthn section 6.1.3). Left out of old ones: not known. */
  readonly isSynced?: boolean;
}

export interface FactorSummary {
  readonly id: string;
  readonly kind: 'totp' | 'passkey';
  readonly name: string;
  readonly createdAt: number;
  readonly lastUsedAt: number | null;
}

export interface FactorOverview {
  readonly factors: readonly FactorSummary[];
  readonly recoveryLeft: number;
}

export interface FoundPasskey {
  readonly id: string;
  readonly subject: string;
  readonly state: PasskeyState;
  /** Marks it used; false where another use came first. */
  readonly use: (counter: number) => Promise<boolean>;
}

export type CodeAnswer =
  /** Of which app it is. */
  | { readonly kind: 'totp'; readonly factor: string }
  | { readonly kind: 'recovery' }
  | { readonly kind: 'wrong' }
  | { readonly kind: 'wait'; readonly retryAfterMs: number };

export interface FactorsDeps {
  readonly store: FactorStore;
  readonly clock: Clock;
  readonly sealKey: SealKey;
}

export interface FactorWish {
  /** What the person calls it. */
  readonly name: string;
  /** Only as the first one of the account: whoever adds it has shown none. */
  readonly isFirst: boolean;
}

export interface Factors {
  overview(subject: string): Promise<FactorOverview>;
  /** True where an authenticator app or a passkey is set up: sign-in asks for it. */
  isEnrolled(subject: string): Promise<boolean>;
  /** True where anybody has a passkey. */
  hasPasskeys(): Promise<boolean>;
  /** Keeps an app whose first code is right; its id, or null where it is wrong, or the app is kept already. */
  addTotp(subject: string, wish: FactorWish, secret: string, code: string): Promise<string | null>;
  /** A code of any authenticator app of the account, or one of its recovery codes. */
  checkCode(subject: string, typed: string): Promise<CodeAnswer>;
  /** Its id; null where the credential is known already. */
  addPasskey(subject: string, wish: FactorWish, state: PasskeyState): Promise<string | null>;
  passkeysOf(subject: string): Promise<readonly PasskeyState[]>;
  findPasskey(credentialId: string): Promise<FoundPasskey | null>;
  /**
   * New codes, shown once; the old ones are void. Null, and the old ones stay, where there is no second factor that they
   * could stand in for, or one is left and only `missing` ones are asked for.
   */
  makeRecovery(subject: string, which: 'all' | 'missing'): Promise<readonly string[] | null>;
  /** With the last one the recovery codes go. */
  remove(subject: string, id: string): Promise<boolean>;
  /** For the operator, when somebody has lost everything. */
  removeAll(subject: string): Promise<number>;
}

export function createFactors(deps: FactorsDeps): Factors {
  const { store, clock } = deps;
  const guesses = createGuessLimit(clock);
  return {
    ...createPasskeys(deps),
    async overview(subject) {
      const all = await store.listFactors(subject);
      return {
        factors: all.filter(isSecondFactor).map(summarise),
        recoveryLeft: all.filter(({ kind }) => kind === 'recovery').length,
      };
    },
    isEnrolled: async (subject) => (await store.listFactors(subject)).some(isSecondFactor),
    async addTotp(subject, wish, secret, code) {
      const state = await takeTotp({ secret, lastStep: -1 }, code, clock.now());
      const handle = secretHandle(subject, secret);
      return state === null ? null : add(deps, { subject, kind: 'totp', handle, ...wish }, state);
    },
    async checkCode(subject, typed) {
      const retryAfterMs = guesses.begin(subject);
      if (retryAfterMs > 0) return { kind: 'wait', retryAfterMs };
      const taken = (await takeCode(deps, subject, typed)) ?? (await takeRecovery(deps, subject, typed));
      if (taken === null) return { kind: 'wrong' };
      guesses.succeed(subject);
      return taken;
    },
    async makeRecovery(subject, which) {
      const codes = Array.from({ length: RECOVERY_CODES }, () => mintRecovery());
      const rows = codes.map((code) => recoveryRow(subject, code, clock.now()));
      return (await store.replaceRecovery(subject, rows, which === 'missing')) ? codes : null;
    },
    remove: (subject, id) => store.deleteFactor(subject, id),
    removeAll: (subject) => store.deleteFactorsOf(subject),
  };
}

function createPasskeys(deps: FactorsDeps): Pick<Factors, 'hasPasskeys' | 'addPasskey' | 'passkeysOf' | 'findPasskey'> {
  const { store, clock, sealKey } = deps;
  const stateOf = (factor: StoredFactor): PasskeyState | null => openState(deps, factor) as PasskeyState | null;
  return {
    hasPasskeys: () => store.hasFactors('passkey'),
    addPasskey: (subject, wish, state) =>
      add(deps, { subject, kind: 'passkey', handle: passkeyHandle(state.credentialId), ...wish }, state),
    async passkeysOf(subject) {
      const all = await store.listFactors(subject);
      return all.flatMap((one) => (one.kind === 'passkey' ? (stateOf(one) ?? []) : []));
    },
    async findPasskey(credentialId) {
      const found = await store.findFactorByHandle(passkeyHandle(credentialId));
      const state = found === null ? null : stateOf(found);
      if (found === null || state === null) return null;
      const use = (counter: number): Promise<boolean> => {
        const value = sealJson(sealKey, purposeOf(found.id), { ...state, counter });
        return store.useFactor(found.id, found.value, value, clock.now());
      };
      return { id: found.id, subject: found.subject, state, use };
    },
  };
}

type NewFactor = Pick<StoredFactor, 'subject' | 'kind' | 'handle'> & FactorWish;

async function add(
  { store, sealKey, clock }: FactorsDeps,
  { isFirst, ...factor }: NewFactor,
  state: unknown,
): Promise<string | null> {
  const id = mintId();
  const value = sealJson(sealKey, purposeOf(id), state);
  const row = { id, ...factor, value, createdAt: clock.now(), lastUsedAt: null };
  return (await store.insertFactor(row, isFirst ? 1 : MAX_FACTORS)) ? id : null;
}

async function takeCode(
  { store, sealKey, clock }: FactorsDeps,
  subject: string,
  typed: string,
): Promise<CodeAnswer | null> {
  for (const factor of await store.listFactors(subject)) {
    if (factor.kind !== 'totp') continue;
    const state = openState({ sealKey }, factor) as TotpState | null;
    const next = state === null ? null : await takeTotp(state, typed, clock.now());
    if (next === null) continue;
    // Of two tries with one code at once, one finds the value changed.
    const value = sealJson(sealKey, purposeOf(factor.id), next);
    return (await store.useFactor(factor.id, factor.value, value, clock.now()))
      ? { kind: 'totp', factor: factor.id }
      : null;
  }
  return null;
}

async function takeRecovery({ store }: FactorsDeps, subject: string, typed: string): Promise<CodeAnswer | null> {
  const code = typed.toLowerCase().replaceAll(/[\s-]/g, '');
  if (!/^[0-9a-f]{20}$/.test(code)) return null;
  const found = await store.findFactorByHandle(recoveryHandle(subject, code));
  if (found === null || found.subject !== subject) return null;
  return (await store.deleteFactor(subject, found.id)) ? { kind: 'recovery' } : null;
}

function isSecondFactor(factor: StoredFactor): boolean {
  return factor.kind !== 'recovery';
}

function summarise({ id, kind, name, createdAt, lastUsedAt }: StoredFactor): FactorSummary {
  return { id, kind: kind === 'totp' ? 'totp' : 'passkey', name, createdAt, lastUsedAt };
}

function openState({ sealKey }: Pick<FactorsDeps, 'sealKey'>, factor: StoredFactor): unknown {
  return unsealJson(sealKey, purposeOf(factor.id), factor.value) ?? null;
}

/** Bound to its row: a value copied to another factor does not open. */
function purposeOf(id: string): string {
  return `factor/${id}`;
}

function passkeyHandle(credentialId: string): string {
  return hash('sha256', `passkey/${credentialId}`, 'base64url');
}

/** A secret that was kept twice would take each of its codes twice (RFC 6238 section 5.2). */
function secretHandle(subject: string, secret: string): string {
  return hash('sha256', `totp/${subject}/${secret}`, 'base64url');
}

/** 80 random bits need no slow hash; the account is part of it, so that rows of two accounts cannot meet. */
function recoveryHandle(subject: string, code: string): string {
  return hash('sha256', `recovery/${subject}/${code.replaceAll('-', '')}`, 'base64url');
}

function mintId(): string {
  return randomBytes(12).toString('base64url');
}

/** "1f0c9-2ab47-…": hexadecimal, so that no letter is taken for a digit. */
function mintRecovery(): string {
  return randomBytes(RECOVERY_BYTES)
    .toString('hex')
    .replaceAll(/(.{5})(?=.)/g, '$1-');
}

function recoveryRow(subject: string, code: string, createdAt: number): StoredFactor {
  const handle = recoveryHandle(subject, code);
  return { id: mintId(), subject, kind: 'recovery', handle, name: '', value: '', createdAt, lastUsedAt: null };
}
