/**
 * Keeps the document's certificates from CAs good: orders what is missing, renews in time, tries again after a
 * failure, never twice for one. One object in the control thread. A certificate that is there stays in use
 * until a better one is; a failed renewal is told louder the nearer the end is.
 */
import { AcmeFailure } from '../acme/failure.ts';
import type { OrderProgress } from '../acme/order.ts';
import { describeFailedOrder, describeLack, pauseAskedBy } from './failed-order.ts';
import { AskedBy } from './asked-by.ts';
import { adoptCertificate, bestOf, type Adoption } from './adopt.ts';
import { CaSessions } from './ca-sessions.ts';
import { IssuedIndex, openIssued, suits, type Issued, type Seal } from './issued.ts';
import { caFor, runOrderOnce, type OrderOutcome, type OrderRunDeps } from './order-run.ts';
import { OrderQueue, type Job } from './order-queue.ts';
import { NEW_ORDER, stateFor } from './order-state.ts';
import { readStored } from './read-stored.ts';
import { rehearseOrder } from './rehearse.ts';
import { RenewalAdvisor } from './renewal-advisor.ts';
import { revokeAtCa } from './revoke.ts';
import { brakeUntil, renewalTime } from './schedule.ts';
import { sleepFor } from './sleep.ts';
import type { RevocationReason } from '../acme/revocation-reasons.ts';
import type { Https } from '../acme/https.ts';
import type { IssuanceStatus, ProgressEvent } from './status.ts';
import type { AnswerSource } from '../acme/challenge.ts';
import type { CertificateEntry } from '../certificate-set.ts';
import { nameSetOf, subjectOf, type AcmeCa, type AcmePolicy, type Wanted } from './wanted.ts';
import type { Clock } from '../../core/clock.ts';
import type { IssuanceStore, StoredCertificate } from '../../core/issuance-store.ts';
import type { Logger } from '../../core/log.ts';

export interface IssuanceOptions {
  readonly store: IssuanceStore;
  readonly seal: Seal;
  readonly answers: AnswerSource;
  readonly clock: Clock;
  readonly logger: Logger;
  /** This installation, for the locks. */
  readonly holder: string;
  readonly userAgent: string;
  /** What is issued has changed. */
  readonly onChange: () => void;
  readonly random?: () => number;
  readonly sleep?: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly ordersAtOnce?: number;
  /** How a CA is reached; by HTTPS where nothing is given. */
  readonly connect?: (ca: AcmeCa) => Https;
}

const LOCKED_RETRY_MS = 15_000;
export class Issuance {
  readonly #options: IssuanceOptions;
  readonly #deps: OrderRunDeps;
  readonly #sessions: CaSessions;
  readonly #advisor: RenewalAdvisor;
  readonly #index = new IssuedIndex();
  readonly #queue: OrderQueue;
  readonly #ended = new AbortController();
  readonly #listeners = new Set<(event: ProgressEvent) => void>();
  /** Orders that came to an end, for monitoring. */
  readonly counts: { issued: number; renewed: number; failed: number } = { issued: 0, renewed: 0, failed: 0 };
  readonly #asked = new AskedBy();
  #email: string | null = null;

  constructor(options: IssuanceOptions) {
    const { store, seal, answers, clock, logger, userAgent, holder, sleep = sleepFor } = options;
    this.#options = options;
    const connect = options.connect === undefined ? {} : { connect: options.connect };
    this.#sessions = new CaSessions({ store, seal, clock, logger, userAgent, sleep, ...connect });
    const { random = Math.random } = options;
    this.#advisor = new RenewalAdvisor({
      store,
      clock,
      logger,
      random,
      index: this.#index,
      subjects: () => this.#queue.jobs.flatMap(({ wanted }) => this.#index.holding(wanted)?.stored.subject ?? []),
      clientFor: (issued) => this.#sessions.clientOf(this.#caOf(issued)),
      onAdvice: (subject) => this.#reschedule(subject),
      signal: this.#ended.signal,
    });
    this.#queue = new OrderQueue({
      clock,
      ordersAtOnce: options.ordersAtOnce,
      dueAt: (job) => this.#dueAt(job),
      stateOf: (state, wanted) => stateFor(state, this.#askedBy(wanted), caFor(wanted.policy, 0).directory),
      run: (job) => this.#run(job),
      onLook: (now) => {
        if (this.#advisor.isDue(now)) void this.#advisor.ask(false);
      },
    });
    this.#deps = { store, seal, sessions: this.#sessions, answers, clock, random, holder };
  }

  /** Reads what is stored; nothing is ordered before `want`. */
  async load(): Promise<void> {
    const { certificates, unusable, states } = await readStored(this.#options);
    for (const issued of certificates) this.#index.put(issued);
    for (const subject of unusable)
      this.#options.logger.error(
        { code: 'ACME_FAILED', names: subject },
        `Cannot use the stored certificate for "${subject}": its key was sealed with another key file, or its row is damaged; it is ordered anew`,
      );
    this.#queue.recall(states);
  }

  entriesFor(name: string, policy: AcmePolicy): readonly CertificateEntry[] {
    return this.#index.entriesFor(name, policy, this.#options.clock.now());
  }

  /** What the document wants from now on. Orders that run for others are left to end. */
  want(email: string | null, wanted: readonly Wanted[]): void {
    if (this.#ended.signal.aborted) return;
    this.#email = email;
    this.#queue.want(wanted);
  }

  /** Starts what is due now; resolves when nothing runs any more. */
  async review(): Promise<void> {
    this.#queue.look();
    await this.#queue.settled();
  }

  status(): readonly IssuanceStatus[] {
    return this.#queue.jobs.map((job) => ({
      wanted: job.wanted,
      issued: this.#index.holding(job.wanted),
      isOrdering: job.isOrdering,
      progress: job.progress,
      failures: job.state.failures,
      problem: job.state.problem,
      nextAt: job.nextAt,
    }));
  }

  get issued(): readonly Issued[] {
    return this.#index.all;
  }

  /** What is wanted for these names and no others: one, or one of each kind of key. */
  subjectsOf(names: string): readonly string[] {
    return this.#queue.jobs.map(({ wanted }) => wanted.subject).filter((subject) => nameSetOf(subject) === names);
  }

  /** Tells of every step of every order until the function that it gives is called. */
  onProgress(listener: (event: ProgressEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /**
   * Orders now; resolves with how it went. Null where nobody wants such a certificate, or, unless `hurries`, where
   * the schedule does not want it yet, or its CA is away.
   */
  async order(subject: string, hurries = true): Promise<OrderOutcome | null> {
    return this.#queue.order(subject, hurries);
  }

  /** Asks the CAs now when they want certificates to be renewed. */
  async askForAdvice(isForced = false): Promise<void> {
    await this.#advisor.ask(isForced);
  }

  /** As `rehearseOrder`, with what this document says. */
  async rehearse(wanted: Wanted, ca: AcmeCa, report: (progress: OrderProgress) => void): Promise<void> {
    const deps = { client: this.#sessions.clientOf(ca), answers: this.#options.answers.answersBy(wanted.policy.dns) };
    await rehearseOrder({ wanted, ca, email: this.#email }, { ...deps, report }, this.#ended.signal);
  }

  /** Tells the CA; then another one is ordered at once. */
  async revoke(subject: string, reason: RevocationReason): Promise<void> {
    const issued = this.#index.get(subject);
    if (issued === null) return;
    const { store, clock } = this.#options;
    await revokeAtCa({ issued, ca: this.#caOf(issued), reason }, this.#sessions, this.#ended.signal);
    const revokedAt = clock.now();
    await store.markRevoked(issued.stored.id, revokedAt);
    this.#index.put({ ...issued, stored: { ...issued.stored, revokedAt } });
    this.#reschedule(subject);
  }

  async remove(subject: string): Promise<boolean> {
    const issued = this.#index.get(subject);
    if (issued === null) return false;
    await this.#options.store.deleteCertificate(issued.stored.id);
    this.#index.remove(subject);
    this.#options.onChange();
    this.#reschedule(subject);
    return true;
  }

  get storage(): Pick<IssuanceOptions, 'store' | 'seal'> {
    return this.#options;
  }

  /** Takes over what another client ordered; where it is kept, nothing is ordered for its names before its renewal. */
  async adopt(stored: StoredCertificate, dryRun: boolean): Promise<Adoption> {
    const issued = openIssued(stored, this.#options.seal);
    if (issued === null) throw new TypeError('Cannot adopt a certificate that does not open');
    const best = bestOf(this.#index.get(stored.subject), this.#options.clock.now());
    const candidate = { stored, notAfter: issued.entry.notAfter, best };
    const outcome = await adoptCertificate(candidate, this.#options, dryRun);
    if (outcome !== 'adopted' || dryRun) return outcome;
    this.#index.put(issued);
    this.#queue.forgive(stored.subject);
    for (const job of this.#queue.jobs)
      if (this.#index.holding(job.wanted)?.stored.id === stored.id) job.state = NEW_ORDER;
    this.#options.onChange();
    this.#queue.reschedule(this.#queue.jobs);
    return outcome;
  }

  /** Each CA that the document names, once. */
  get cas(): readonly AcmeCa[] {
    const all = this.#queue.jobs.flatMap((job) => job.wanted.policy.cas);
    return [...new Map(all.map((ca) => [`${ca.directory} ${ca.eab?.keyId ?? ''}`, ca])).values()];
  }

  /** URL of the account with a CA; null before the first order there. */
  async accountUrl(ca: AcmeCa): Promise<string | null> {
    return (await this.#sessions.known(ca))?.signer.kid ?? null;
  }

  async rotateAccountKey(ca: AcmeCa): Promise<void> {
    await this.#sessions.rotateKey(ca, this.#ended.signal);
  }

  async deactivateAccount(ca: AcmeCa): Promise<void> {
    await this.#sessions.deactivate(ca, this.#ended.signal);
  }

  get signal(): AbortSignal {
    return this.#ended.signal;
  }

  async close(): Promise<void> {
    this.#ended.abort(new Error('Postern ends'));
    await this.#queue.close();
    this.#sessions.close();
  }

  /** The CA as the document has it now; where it has not, as far as it is known from the certificate. */
  #caOf({ stored, renewal }: Issued): AcmeCa {
    const policies = this.#queue.jobs.map((job) => job.wanted.policy);
    const found = policies.flatMap((policy) => policy.cas).find((ca) => ca.directory === stored.directory);
    const unknown = { eab: null, profile: null, preferredChain: null, rootsPem: null };
    return found ?? { name: renewal.caName, directory: stored.directory, ...unknown };
  }

  #dueAt({ wanted, state, renewedAt, isForced }: Job): number {
    const now = this.#options.clock.now();
    // Somebody waits for it, whatever has changed meanwhile.
    if (isForced) return now;
    const issued = this.#index.holding(wanted);
    // After a failure its own time counts; a clock that was set back must not make that last for ever.
    const retryAt = Math.min(state.nextAt, now + 31 * 86_400_000);
    if (issued === null || !suits(issued, wanted, now)) return Math.max(now, retryAt);
    const { entry, notBefore, renewal, stored } = issued;
    const life = { id: entry.id, notBefore, notAfter: entry.notAfter, issuedAt: stored.issuedAt };
    return Math.max(renewalTime(life, renewal.advice), retryAt, brakeUntil(life, renewedAt, now));
  }

  /** Something has changed for a certificate: of whoever wants it, or makes do with it. */
  #reschedule(subject: string): void {
    const own = this.#queue.find(subject);
    const all = own === undefined ? this.#queue.jobs : [own];
    const concerned = all.filter((job) => job === own || this.#index.holding(job.wanted)?.stored.subject === subject);
    if (concerned.length > 0) this.#queue.reschedule(concerned);
  }

  async #run(job: Job): Promise<void> {
    const { subject } = job.wanted;
    const before = this.#toBeReplaced(job.wanted);
    const isForced = job.isForced;
    job.isForced = false;
    const stop = new AbortController();
    job.stop = stop;
    const attempt = {
      wanted: job.wanted,
      email: this.#email,
      before,
      isForced,
      asked: this.#askedBy(job.wanted),
      stop: stop.signal,
      onCa: (ca: AcmeCa): void => void (job.ca = ca),
      report: (progress: OrderProgress): void => {
        job.progress = progress;
        this.#tell({ subject, progress });
        this.#options.logger.debug({ names: subject, ...progress }, `Certificate order: ${progress.kind}`);
      },
    };
    let outcome: OrderOutcome;
    try {
      outcome = await runOrderOnce(attempt, this.#deps, this.#ended.signal);
    } catch (error) {
      // The store does not answer: nothing is known to have changed.
      const state = { ...job.state, nextAt: this.#options.clock.now() + LOCKED_RETRY_MS };
      const [ca] = job.wanted.policy.cas;
      outcome = { kind: 'failed', error: error as Error, state, ca: ca as AcmeCa };
    }
    // One that stands in for it is replaced without `replaces`: other names have it too.
    const held = before ?? this.#index.holding(job.wanted);
    if (outcome.kind === 'issued' && !isForced) job.renewedAt = [...job.renewedAt.slice(-2), this.#options.clock.now()];
    if (outcome.kind === 'stopped') job.isForced = isForced;
    if (!this.#ended.signal.aborted) this.#settle(job, outcome, held);
    // Who waits for it gets what comes of the next one.
    if (outcome.kind === 'stopped' && job.isWanted && !this.#ended.signal.aborted) return;
    for (const waiter of job.waiters.splice(0)) waiter(outcome);
  }

  #askedBy(wanted: Wanted): string {
    const { dns } = wanted.policy;
    const answers = this.#options.answers.fingerprintOf?.(dns) ?? dns;
    return this.#asked.of(wanted, { email: this.#email, answers });
  }

  /** Its own; else one with the same names, that another client ordered with a key of another kind. */
  #toBeReplaced(wanted: Wanted): Issued | null {
    const held = this.#index.holding(wanted);
    return held !== null && nameSetOf(held.stored.subject) === nameSetOf(wanted.subject) ? held : null;
  }

  #settle(job: Job, outcome: OrderOutcome, before: Issued | null): void {
    const { clock, logger } = this.#options;
    const { subject } = job.wanted;
    switch (outcome.kind) {
      case 'locked':
        job.nextAt = clock.now() + LOCKED_RETRY_MS;
        return;
      case 'stopped':
        job.state = stateFor(outcome.state, this.#askedBy(job.wanted), caFor(job.wanted.policy, 0).directory);
        job.nextAt = this.#dueAt(job);
        logger.info({ names: subject }, 'Certificate order given up: the document names another CA by now');
        return;
      case 'failed':
        this.counts.failed += 1;
        // The document may ask for something else since.
        job.state = stateFor(outcome.state, this.#askedBy(job.wanted), caFor(job.wanted.policy, 0).directory);
        job.nextAt = Math.max(job.state.nextAt, clock.now() + 1);
        this.#noteAnswerOf(outcome, subject);
        this.#pauseWhereAsked(outcome);
        this.#tellFailure(job, outcome, before);
        return;
      default: {
        const { issued } = outcome;
        job.state = NEW_ORDER;
        if (outcome.kind === 'issued') this.#queue.noteAnswer(issued.stored.directory);
        if (outcome.kind === 'issued') this.counts[before === null ? 'issued' : 'renewed'] += 1;
        this.#index.put(issued);
        job.nextAt = this.#dueAt(job);
        const until = new Date(issued.entry.notAfter).toISOString().slice(0, 16);
        const { keyType, serial, renewal } = issued;
        const facts = { names: subject, keyType, ca: renewal.caName, notAfter: until, serial };
        logger.info(facts, before === null ? 'Certificate issued' : 'Certificate renewed');
        if (outcome.kind === 'issued' && outcome.lacks !== null)
          logger.warn(
            { code: 'TLS_BAD_CERTIFICATE', names: subject, ca: renewal.caName, issuer: outcome.lacks },
            describeLack(subject, renewal.caName, outcome.lacks),
          );
        this.#tell({ subject, progress: { kind: 'issued' } });
        this.#options.onChange();
      }
    }
  }

  #noteAnswerOf({ error, ca }: Extract<OrderOutcome, { kind: 'failed' }>, subject: string): void {
    if (!(error instanceof AcmeFailure)) return;
    if (error.kind === 'unreachable') this.#queue.noteSilence(ca.directory, subject);
    else this.#queue.noteAnswer(ca.directory);
  }

  #pauseWhereAsked({ error, ca }: Extract<OrderOutcome, { kind: 'failed' }>): void {
    const until = pauseAskedBy(error, this.#options.clock.now());
    if (until !== null) this.#queue.pause(ca.directory, until);
  }

  #tellFailure(job: Job, { error, state }: Extract<OrderOutcome, { kind: 'failed' }>, before: Issued | null): void {
    const { clock, logger } = this.#options;
    const { subject } = job.wanted;
    this.#tell({ subject, progress: { kind: 'failed', message: error.message } });
    const again = new Date(job.nextAt).toISOString().slice(0, 19);
    const facts = { code: 'ACME_FAILED', names: subject, failures: state.failures, nextTry: `${again}Z` };
    const names = nameSetOf(subject).split(' ');
    const beside = [false, true].flatMap((isOfRsa) => this.#index.get(subjectOf(names, isOfRsa)) ?? []);
    const { isUrgent, message } = describeFailedOrder({ error, subject, before, beside }, clock.now());
    if (isUrgent) logger.error(facts, message);
    else logger.warn(facts, message);
  }

  #tell(event: ProgressEvent): void {
    for (const listener of this.#listeners) listener(event);
  }
}
