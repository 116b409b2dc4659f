/**
 * One try at one certificate, from the lock to the stored chain. The lock is kept alive while the order runs,
 * and an order whose lock went to somebody else ends at once. What a try reached is in the store before the
 * next step begins: after a crash the next try goes on from there.
 */
import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto';
import { writeSigningRequest } from '../x509-writer.ts';
import { AcmeFailure } from '../acme/failure.ts';
import { renewalIdOf } from '../acme/chain.ts';
import type { AnswerSource } from '../acme/challenge.ts';
import { isChallengeType, isDnsChallenge, type ChallengeType } from '../acme/challenge-type.ts';
import { runOrder, type OrderProgress } from '../acme/order.ts';
import { checkChain } from './check-chain.ts';
import { isOfKind, newKeyPem } from './key-type.ts';
import { profileFor } from './profile.ts';
import { certificateId, KEY_PURPOSE, openIssued, suits, type Issued, type RenewalState, type Seal } from './issued.ts';
import { parseOrderState, stateFor, type OrderState } from './order-state.ts';
import { retryTime } from './schedule.ts';
import type { CaSession, CaSessions } from './ca-sessions.ts';
import type { AcmeCa, AcmePolicy, KeyType, Wanted } from './wanted.ts';
import type { Clock } from '../../core/clock.ts';
import type { IssuanceStore, OrderLock, StoredCertificate } from '../../core/issuance-store.ts';

export interface OrderRunDeps {
  readonly store: IssuanceStore;
  readonly seal: Seal;
  readonly sessions: CaSessions;
  readonly answers: AnswerSource;
  readonly clock: Clock;
  readonly random: () => number;
  /** Who holds the locks: this installation. */
  readonly holder: string;
}

export interface OrderAttempt {
  readonly wanted: Wanted;
  readonly email: string | null;
  /** What is to be replaced; null for the first. */
  readonly before: Issued | null;
  /** Fingerprint of what the document asks for. */
  readonly asked: string;
  /** Orders even where what is stored suits still. */
  readonly isForced: boolean;
  readonly report: (progress: OrderProgress) => void;
  /** The CA that it is tried at. */
  readonly onCa: (ca: AcmeCa) => void;
  /** Aborted where the document does not want it from that CA any more. */
  readonly stop: AbortSignal;
}

export type OrderOutcome =
  | { readonly kind: 'issued'; readonly issued: Issued; readonly lacks: string | null }
  /** Somebody else was faster. */
  | { readonly kind: 'found'; readonly issued: Issued }
  | { readonly kind: 'locked' }
  /** Given up for the document that there is by now. */
  | { readonly kind: 'stopped'; readonly state: OrderState }
  | { readonly kind: 'failed'; readonly error: Error; readonly state: OrderState; readonly ca: AcmeCa };

const AGAIN_MS = 1_000;
const LEASE_MS = 60_000;
const KEEP_MS = 20_000;
/** After a failed validation the next challenge is tried soon, as long as there is one. */
const NEXT_CHALLENGE_MS = 2_000;
/** So many failures in a row, about half an hour, before an order whose answers cannot be read is given up. */
const UNREADABLE_TRIES = 5;
/** Longer than this no name waits for one CA while another may step in. */
const LONG_PAUSE_MS = 3_600_000;

export async function runOrderOnce(
  attempt: OrderAttempt,
  deps: OrderRunDeps,
  signal: AbortSignal,
): Promise<OrderOutcome> {
  const { subject } = attempt.wanted;
  const locked = await deps.store.lockOrder(subject, deps.holder, deps.clock.now(), LEASE_MS);
  if (locked === null) return { kind: 'locked' };
  const { policy } = attempt.wanted;
  const before = stateFor(parseOrderState(locked.state), attempt.asked, caFor(policy, 0).directory);
  const journal = new Journal(deps, locked, before);
  const ca = caFor(policy, before.failures);
  attempt.onCa(ca);
  try {
    const found = attempt.isForced ? null : await findNewer(attempt, deps);
    if (found !== null) {
      await deps.store.deleteOrder(subject);
      return { kind: 'found', issued: found };
    }
    const obtained = await order(attempt, { ca, journal }, deps, AbortSignal.any([signal, attempt.stop, journal.lost]));
    return { kind: 'issued', ...obtained };
  } catch (error) {
    const state = await fail(error as Error, attempt, { ca, journal }, deps, signal);
    if (attempt.stop.aborted) return { kind: 'stopped', state };
    return { kind: 'failed', error: error as Error, state, ca };
  } finally {
    journal.stop();
  }
}

/** Each CA has its turn, for as many failures as the document says. */
export function caFor({ cas, fallbackAfter }: AcmePolicy, failures: number): AcmeCa {
  const ca = cas[Math.floor(failures / fallbackAfter) % cas.length];
  if (ca === undefined) throw new TypeError('Cannot order: the policy names no CA');
  return ca;
}

/** A certificate that suits and is newer than what is to be replaced: ordered by another process. */
async function findNewer({ wanted, before }: OrderAttempt, deps: OrderRunDeps): Promise<Issued | null> {
  for (const stored of (await deps.store.certificatesOf(wanted.subject)).toReversed()) {
    if (before !== null && stored.issuedAt <= before.stored.issuedAt) continue;
    const issued = openIssued(stored, deps.seal);
    if (issued !== null && suits(issued, wanted, deps.clock.now())) return issued;
  }
  return null;
}

interface Obtained {
  readonly issued: Issued;
  /** Name of the issuer that the chain lacks; null for none. */
  readonly lacks: string | null;
}

interface At {
  readonly ca: AcmeCa;
  readonly journal: Journal;
}

/** An account that the CA knows no more, or that was ended elsewhere, is no reason to wait: another one is made. */
async function order(attempt: OrderAttempt, at: At, deps: OrderRunDeps, signal: AbortSignal): Promise<Obtained> {
  const since = deps.sessions.repairs(at.ca);
  try {
    return await orderByAccount(attempt, at, deps, signal);
  } catch (error) {
    if (signal.aborted || !(await deps.sessions.repair(at.ca, error, since))) throw error;
    await at.journal.save({ url: null });
    return orderByAccount(attempt, at, deps, signal);
  }
}

async function orderByAccount(
  attempt: OrderAttempt,
  at: At,
  deps: OrderRunDeps,
  signal: AbortSignal,
): Promise<Obtained> {
  const { wanted, email, report } = attempt;
  const { ca, journal } = at;
  if (journal.state.directory !== ca.directory)
    await journal.save({ directory: ca.directory, url: null, sealedKey: null });
  const session = await deps.sessions.open(ca, email, signal);
  const keyPem = await keyFor(wanted.keyType, journal, deps.seal);
  const key = createPrivateKey(keyPem);
  const csr = writeSigningRequest({ names: wanted.names, publicKey: createPublicKey(key), privateKey: key });
  let convincedBy: ChallengeType | null = null;
  const request = {
    names: wanted.names,
    challenges: challengesFor(attempt, journal.state.turns),
    profile: await profileFor(wanted.names, ca, session.client, signal),
    replaces: await replacedBy(attempt, ca, session, signal),
    preferredChain: ca.preferredChain,
    csr,
  };
  const orderOrResume = (): Promise<string> =>
    runOrder(
      request,
      {
        ...session,
        answers: deps.answers.answersBy(wanted.policy.dns),
        begun: journal.state.url,
        // The key stays with the next order: it is in use already, and no certificate is for it yet.
        saveUrl: (url) => journal.save({ url }),
        report(progress) {
          if (progress.kind === 'validated') convincedBy = progress.challenge;
          report(progress);
        },
      },
      signal,
    );
  let came = await checkChain(await orderOrResume(), { key, wanted, ca }, deps);
  if (came.wrong?.kind === 'malformed') {
    // What is for somebody else may have come from a cache in between: a certificate more is ordered for no such thing.
    await session.client.sleep(AGAIN_MS, signal);
    came = await checkChain(await orderOrResume(), { key, wanted, ca }, deps);
  }
  const { chain, wrong, lacks } = came;
  // Asked for again, that order would lead to the same certificate for ever; one that the clock is against is kept.
  if (wrong?.kind === 'malformed') await journal.save({ url: null });
  if (wrong !== null) throw wrong;
  const challenge = convincedBy ?? attempt.before?.renewal.challenge ?? null;
  const stored = storedFrom(chain, { keyPem, wanted, ca, challenge, profile: request.profile }, deps);
  await journal.finish(stored);
  const issued = openIssued(stored, deps.seal);
  if (issued === null) throw new TypeError('Cannot use a certificate that was issued just now');
  return { issued, lacks };
}

interface Ordered {
  readonly keyPem: string;
  readonly wanted: Wanted;
  readonly ca: AcmeCa;
  /** What convinced the CA. */
  readonly challenge: string | null;
  readonly profile: string | null;
}

function storedFrom(
  chain: string,
  { keyPem, wanted, ca, challenge, profile }: Ordered,
  { clock, seal }: OrderRunDeps,
): StoredCertificate {
  const now = clock.now();
  // RFC 9773 section 4.3: the first question comes right after the certificate.
  const renewal: RenewalState = {
    advice: null,
    askAgainAt: now,
    challenge,
    caName: ca.name,
    profile,
    isImported: false,
  };
  return {
    id: certificateId(chain),
    subject: wanted.subject,
    directory: ca.directory,
    chain,
    sealedKey: seal.seal(KEY_PURPOSE, keyPem),
    issuedAt: now,
    revokedAt: null,
    renewal: JSON.stringify(renewal),
  };
}

/** That of the order that was begun; one of another kind is of a document that has changed since. */
async function keyFor(keyType: KeyType, journal: Journal, seal: Seal): Promise<string> {
  const known = journal.state.sealedKey === null ? null : seal.unseal(KEY_PURPOSE, journal.state.sealedKey);
  if (known !== null && isOfKind(known, keyType)) return known;
  const pem = await newKeyPem(keyType);
  await journal.save({ sealedKey: seal.seal(KEY_PURPOSE, pem), url: null });
  return pem;
}

/** What worked last comes first; after a failed validation it is the next one's turn. */
function challengesFor({ wanted, before }: OrderAttempt, turns: number): readonly ChallengeType[] {
  const { challenges } = wanted.policy;
  const known = before?.renewal.challenge ?? '';
  const first = isChallengeType(known) && challenges.includes(known) ? known : null;
  const all = first === null ? challenges : [first, ...challenges.filter((one) => one !== first)];
  const turn = all.length === 0 ? 0 : turns % all.length;
  return [...all.slice(turn), ...all.slice(0, turn)];
}

/** RFC 9773 section 5: only of the same CA, and only where it knows renewal information. */
async function replacedBy(
  { before }: OrderAttempt,
  ca: AcmeCa,
  session: CaSession,
  signal: AbortSignal,
): Promise<string | null> {
  if (before === null || before.stored.directory !== ca.directory) return null;
  const { renewalInfo } = await session.client.directory(signal);
  return renewalInfo === undefined ? null : renewalIdOf(new X509Certificate(before.stored.chain));
}

// oxlint-disable-next-line max-params -- what failed, and what it needs to be tried again
async function fail(
  cause: Error,
  { wanted, asked, stop }: OrderAttempt,
  { ca, journal }: At,
  deps: OrderRunDeps,
  signal: AbortSignal,
): Promise<OrderState> {
  const { clock, random } = deps;
  const before = journal.state;
  if (signal.aborted || stop.aborted) {
    // The process ends, or another CA is wanted: nothing has failed, and the next start goes on from here.
    await journal.release({});
    return before;
  }
  const failure = cause instanceof AcmeFailure ? cause : null;
  const isValidation = failure?.kind === 'challenge';
  const turns = isValidation ? before.turns + 1 : before.turns;
  const { challenges } = wanted.policy;
  const isWild = wanted.names.some((name) => name.startsWith('*.'));
  const usable = isWild ? challenges.filter(isDnsChallenge).length : challenges.length;
  const hasAnother = isValidation && turns % Math.max(usable, 1) !== 0;
  const now = clock.now();
  const failures = hasAnother ? before.failures : failuresAfter(before.failures, failure, wanted.policy, now);
  const own = hasAnother ? now + NEXT_CHALLENGE_MS * (0.5 + random()) : retryTime(now, failures, random, isValidation);
  // What this CA asks for is nothing to the one whose turn is next.
  const isSameCa = caFor(wanted.policy, failures).directory === ca.directory;
  const heldUntil = failure?.retryAt ?? 0;
  const nextAt = isSameCa ? Math.max(own, heldUntil) : own;
  const problem = { message: cause.message, at: now };
  const change = { failures, turns, nextAt, asked, heldUntil, problem, ...lostBy(failure, before) };
  await journal.release(change).catch(() => undefined);
  return journal.state;
}

/** What the next try does not take up again. */
function lostBy(failure: AcmeFailure | null, { failures }: OrderState): Partial<OrderState> {
  const type = failure?.problem?.type ?? '';
  // The CA takes this key never, for no order: it is on its list of weak or leaked ones.
  if (type === 'badPublicKey' || type === 'badCSR') return { sealedKey: null };
  // A chain that is none comes from something in between, for a while; after that it is what the CA has for the order.
  return failure?.kind === 'malformed' && failures >= UNREADABLE_TRIES ? { url: null } : {};
}

/** A CA that wants to be left alone for long has had its turn, where there is another one. */
// oxlint-disable-next-line max-params -- what there was, and what has come
function failuresAfter(
  before: number,
  failure: AcmeFailure | null,
  { cas, fallbackAfter }: AcmePolicy,
  now: number,
): number {
  const isLong = (failure?.retryAt ?? 0) - now > LONG_PAUSE_MS;
  // An order that is under way there goes on there.
  if (cas.length === 1 || !isLong || failure?.kind === 'timeout') return before + 1;
  return (Math.floor(before / fallbackAfter) + 1) * fallbackAfter;
}

/** The order's row while its lock is held. */
class Journal {
  state: OrderState;
  readonly #deps: OrderRunDeps;
  readonly #lock: OrderLock;
  readonly #timer: NodeJS.Timeout;
  readonly #lost = new AbortController();

  constructor(deps: OrderRunDeps, lock: OrderLock, state: OrderState) {
    this.#deps = deps;
    this.#lock = lock;
    this.state = state;
    // A store that fails for a moment costs nothing yet: the lease outlives three of these.
    this.#timer = setInterval(() => void this.save({}).catch(() => undefined), KEEP_MS).unref();
  }

  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  async save(change: Partial<OrderState>): Promise<void> {
    this.state = { ...this.state, ...change };
    const until = this.#deps.clock.now() + LEASE_MS;
    if (await this.#deps.store.saveOrder(this.#lock, JSON.stringify(this.state), until)) return;
    throw this.#isLost();
  }

  async release(change: Partial<OrderState>): Promise<void> {
    this.state = { ...this.state, ...change };
    await this.#deps.store.releaseOrder(this.#lock, JSON.stringify(this.state));
  }

  async finish(certificate: StoredCertificate): Promise<void> {
    if (!(await this.#deps.store.finishOrder(this.#lock, certificate))) throw this.#isLost();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #isLost(): Error {
    const error = new Error('Cannot go on with the order: its lock has gone to another process');
    this.#lost.abort(error);
    return error;
  }
}
