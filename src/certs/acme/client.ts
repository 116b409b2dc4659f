/**
 * Speaks ACME with one CA (RFC 8555 section 6): the directory, nonces, signed requests, and what may be
 * tried again at once. A nonce that the CA does not know is replaced, a CA that is busy for a moment is
 * waited for; everything else is an AcmeFailure that says what was done and what the CA said.
 */
import type * as z from 'zod';
import { AcmeFailure, problemOf, quoteWords, type FailureKind, type Problem } from './failure.ts';
import { signRequest, type Signer } from './jws.ts';
import { directoryShape, problemShape, type Directory } from './messages.ts';
import { parseRetryAfter } from './retry-after.ts';
import { AnswerTooLarge, type Https, type HttpsAnswer, type HttpsRequest } from './https.ts';
import type { Clock } from '../../core/clock.ts';

export interface AcmeClientOptions {
  readonly directoryUrl: string;
  /** As people know it. */
  readonly name: string;
  readonly https: Https;
  readonly clock: Clock;
  /** Rejects when the signal is aborted. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly random?: () => number;
}

export interface Answer<T> {
  readonly value: T;
  readonly response: HttpsAnswer;
  /** From Retry-After, milliseconds since the epoch. */
  readonly retryAt: number | null;
}

const NONCES_MAX = 64;
/** Even a CA that refuses nine of ten is spoken to: a refusal costs one round trip. */
const NONCE_TRIES = 80;
const QUICK_NONCE_TRIES = 10;
const NONCE_PAUSE_MS = 200;
const BUSY_TRIES = 4;
const BUSY_BASE_MS = 500;
/** A Retry-After up to this is waited for here; a longer one is the scheduler's. */
const SHORT_WAIT_MS = 15_000;
const DIRECTORY_FOR_MS = 3_600_000;
const RESOURCES = ['newNonce', 'newAccount', 'newOrder', 'revokeCert', 'keyChange'] as const;
type Resource = (typeof RESOURCES)[number];
const NONCE = /^[A-Za-z0-9_-]+$/;

/** How often something was asked in vain. */
interface Tries {
  nonces: number;
  busy: number;
  /** The directory has been read anew for it. */
  isMoved: boolean;
}

const untried = (): Tries => ({ nonces: 0, busy: 0, isMoved: false });

export class AcmeClient {
  readonly name: string;
  readonly directoryUrl: string;
  readonly clock: Clock;
  readonly sleep: AcmeClientOptions['sleep'];
  readonly #https: Https;
  readonly #random: () => number;
  #nonces: string[] = [];
  /** What each URL of a directory was for. */
  readonly #resources = new Map<string, Resource>();
  #directory: { readonly value: Promise<Directory>; readonly until: number } | null = null;

  constructor(options: AcmeClientOptions) {
    this.name = options.name;
    this.directoryUrl = options.directoryUrl;
    this.clock = options.clock;
    this.sleep = options.sleep;
    this.#https = options.https;
    this.#random = options.random ?? Math.random;
  }

  /** One request for all who ask at once; asked again after an hour, or after a failure. */
  async directory(signal: AbortSignal): Promise<Directory> {
    const left = (this.#directory?.until ?? 0) - this.clock.now();
    // More than an hour is left where the clock has been set back.
    if (this.#directory !== null && left > 0 && left <= DIRECTORY_FOR_MS)
      return this.#directory.value.catch((error: unknown) => {
        // Whoever asked has given up, which is nothing to others.
        if (error instanceof AcmeFailure || signal.aborted) throw error;
        return this.directory(signal);
      });
    const asked = { value: this.#readDirectory(signal), until: this.clock.now() + DIRECTORY_FOR_MS };
    this.#directory = asked;
    asked.value.catch(() => {
      if (this.#directory === asked) this.#directory = null;
    });
    return asked.value;
  }

  /** A plain GET, for what anybody may read: the directory, renewal information. */
  async get<T>(url: string, shape: z.ZodType<T>, step: string, signal: AbortSignal): Promise<Answer<T>> {
    const response = await this.#askPatiently({ method: 'GET', url }, step, signal);
    return this.#answer(response, shape, step);
  }

  async post<T>(message: SignedMessage, shape: z.ZodType<T>, signal: AbortSignal): Promise<Answer<T>> {
    const response = await this.postRaw(message, signal);
    return this.#answer(response, shape, message.step);
  }

  /** The answer of a signed request as it came, with a status below 400. */
  async postRaw(message: SignedMessage, signal: AbortSignal): Promise<HttpsAnswer> {
    const { payload, payloadFor, signer, step, accept, isNew = false } = message;
    let { url } = message;
    const tries = untried();
    for (;;) {
      const nonce = await this.#takeNonce(signal);
      const body = await signRequest(
        signer,
        { url, nonce },
        payloadFor === undefined ? payload : await payloadFor(url),
      );
      const headers = { 'content-type': 'application/jose+json', ...(accept === undefined ? {} : { accept }) };
      const response = await this.#tryAsk({ method: 'POST', url, headers, body }, step, signal);
      if (response instanceof AcmeFailure) {
        // Every step of ACME may be said twice: an order that is asked for again is the same order, or one more
        // that lapses; one that is finalised already tells so by its state.
        tries.busy += 1;
        if (tries.busy >= BUSY_TRIES) throw this.#givenUp(response);
        await this.sleep(this.#backoff(tries.busy), signal);
        continue;
      }
      if (response.status < 400) return response;
      const problem = readProblem(response);
      const moved = await this.#movedTo(url, response, tries, signal);
      url = moved ?? url;
      const wait = moved === null ? this.#waitBefore(response, problem, tries, isNew) : 0;
      if (wait === null) throw this.#failure(response, problem, step);
      // The CA may have forgotten all of them, as after a restart; the answer brought a good one.
      if (problem?.type === 'badNonce') this.#nonces = this.#nonces.slice(-1);
      if (wait > 0) await this.sleep(wait, signal);
    }
  }

  /**
   * How long to wait before the same is asked again; null: not here. Refused nonces count for themselves: a CA that
   * refuses many would leave no patience for a connection that breaks once. A limit is waited for where the CA says
   * how long, and that is not long; never asked against by guess.
   */
  // oxlint-disable-next-line max-params -- the answer, and what it was to
  #waitBefore(response: HttpsAnswer, problem: Problem | null, tries: Tries, isNew = false): number | null {
    if (problem?.type === 'badNonce') return this.#nonceWait((tries.nonces += 1));
    tries.busy += 1;
    if (isNew && response.status === 404 && tries.busy < BUSY_TRIES) return this.#backoff(tries.busy);
    const isLimited = response.status === 429 || problem?.type === 'rateLimited';
    if ((response.status < 500 && !isLimited) || tries.busy >= BUSY_TRIES) return null;
    const now = this.clock.now();
    const retryAt = parseRetryAfter(response.headers['retry-after'], now);
    if (retryAt !== null) return retryAt - now <= SHORT_WAIT_MS ? retryAt - now : null;
    return isLimited ? null : this.#backoff(tries.busy);
  }

  /** The directory may say by the next try that the CA is at another place. */
  #givenUp(failure: AcmeFailure): AcmeFailure {
    this.#directory = null;
    return failure;
  }

  /**
   * Where a resource of the directory is by now, once it is not where it was: another release of the CA may have moved
   * it. Null where reading the directory anew is of no help.
   */
  // oxlint-disable-next-line max-params -- what was asked, and what came of it
  async #movedTo(url: string, { status }: HttpsAnswer, tries: Tries, signal: AbortSignal): Promise<string | null> {
    const resource = this.#resources.get(url);
    if (resource === undefined || tries.isMoved || ![404, 405, 410].includes(status)) return null;
    tries.isMoved = true;
    // Somebody else may have found that out already.
    if ((await this.directory(signal))[resource] === url) this.#directory = null;
    const now = (await this.directory(signal))[resource];
    return now === url ? null : now;
  }

  #nonceWait(tries: number): number | null {
    if (tries >= NONCE_TRIES) return null;
    return tries < QUICK_NONCE_TRIES ? 0 : NONCE_PAUSE_MS * (0.5 + this.#random());
  }

  #backoff(tries: number): number {
    return BUSY_BASE_MS * 2 ** (tries - 1) * (0.5 + this.#random());
  }

  async #askPatiently(message: HttpsRequest, step: string, signal: AbortSignal): Promise<HttpsAnswer> {
    const tries = untried();
    let { url } = message;
    for (;;) {
      const answer = await this.#tryAsk({ ...message, url }, step, signal);
      if (!(answer instanceof AcmeFailure)) {
        if (answer.status < 400) return answer;
        const problem = readProblem(answer);
        const moved = await this.#movedTo(url, answer, tries, signal);
        url = moved ?? url;
        const wait = moved === null ? this.#waitBefore(answer, problem, tries) : 0;
        if (wait === null) throw this.#failure(answer, problem, step);
        await this.sleep(wait, signal);
        continue;
      }
      tries.busy += 1;
      if (tries.busy >= BUSY_TRIES) throw this.#givenUp(answer);
      await this.sleep(this.#backoff(tries.busy), signal);
    }
  }

  async #tryAsk(message: HttpsRequest, step: string, signal: AbortSignal): Promise<HttpsAnswer | AcmeFailure> {
    try {
      return await this.#ask(message, step, signal);
    } catch (error) {
      if (error instanceof AcmeFailure && error.kind === 'unreachable' && !isAboutTrust(error.cause)) return error;
      throw error;
    }
  }

  async #ask(message: HttpsRequest, step: string, signal: AbortSignal): Promise<HttpsAnswer> {
    let response: HttpsAnswer;
    try {
      response = await this.#https.ask(message, signal);
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      if (error instanceof AnswerTooLarge) throw this.#strange(step, error.message);
      throw new AcmeFailure({
        kind: 'unreachable',
        step,
        because: `${this.name} cannot be reached at "${new URL(message.url).host}": ${reasonOf(error)}`,
        cause: error,
      });
    }
    const nonce = response.headers['replay-nonce'];
    if (typeof nonce === 'string' && NONCE.test(nonce)) {
      this.#nonces.push(nonce);
      if (this.#nonces.length > NONCES_MAX) this.#nonces.shift();
    }
    if (response.status >= 300 && response.status < 400) {
      const where = quoteWords(response.headers.location ?? '');
      throw this.#strange(step, `it sends the client elsewhere, to ${where}`);
    }
    return response;
  }

  async #takeNonce(signal: AbortSignal): Promise<string> {
    const known = this.#nonces.pop();
    if (known !== undefined) return known;
    const { newNonce } = await this.directory(signal);
    await this.#askPatiently({ method: 'HEAD', url: newNonce }, 'get a nonce', signal);
    const fresh = this.#nonces.pop();
    if (fresh === undefined) throw this.#strange('get a nonce', 'its answer has no Replay-Nonce');
    return fresh;
  }

  async #readDirectory(signal: AbortSignal): Promise<Directory> {
    const step = `read the directory of ${this.name}`;
    const { value } = await this.get(this.directoryUrl, directoryShape, step, signal);
    for (const resource of RESOURCES) this.#resources.set(value[resource], resource);
    return value;
  }

  #answer<T>(response: HttpsAnswer, shape: z.ZodType<T>, step: string): Answer<T> {
    const parsed = shape.safeParse(parseJson(response.body));
    if (!parsed.success) {
      const issue = parsed.error.issues[0];
      const type = response.headers['content-type'] ?? 'no type';
      const what = parseJson(response.body) === undefined ? `is ${quoteWords(type)}, not JSON` : describeIssue(issue);
      throw this.#strange(step, `its answer ${what}: ${quoteWords(plainText(response.body).slice(0, 120))}`);
    }
    const retryAt = parseRetryAfter(response.headers['retry-after'], this.clock.now());
    return { value: parsed.data, response, retryAt };
  }

  #strange(step: string, because: string): AcmeFailure {
    return new AcmeFailure({ kind: 'malformed', step, because: `${this.name} does not speak ACME: ${because}` });
  }

  #failure(response: HttpsAnswer, problem: Problem | null, step: string): AcmeFailure {
    const retryAt = parseRetryAfter(response.headers['retry-after'], this.clock.now());
    const kind = kindOf(response.status, problem);
    if (problem !== null) return new AcmeFailure({ kind, step, problem, retryAt });
    const words = quoteWords(plainText(response.body).slice(0, 200));
    return new AcmeFailure({ kind, step, because: `${this.name} answers ${response.status} ${words}`, retryAt });
  }
}

export interface SignedMessage {
  readonly url: string;
  /** Null: POST-as-GET. */
  readonly payload: object | null;
  /** In its place, where it is signed for the very URL, which may move. */
  readonly payloadFor?: (url: string) => Promise<object>;
  /** The CA has told of this place itself a moment ago: of its machines, one that says 404 has not heard of it yet. */
  readonly isNew?: boolean;
  readonly signer: Signer;
  readonly step: string;
  readonly accept?: string;
}

function kindOf(status: number, problem: Problem | null): FailureKind {
  if (problem?.type === 'rateLimited' || status === 429) return 'rate-limited';
  if (status >= 500) return 'unreachable';
  return problem === null ? 'malformed' : 'refused';
}

function readProblem({ status, body }: HttpsAnswer): Problem | null {
  const parsed = problemShape.safeParse(parseJson(body));
  return parsed.success && parsed.data.type !== undefined ? problemOf(parsed.data, status) : null;
}

/** A member that is null is one that is not there: some CAs write every field that they know. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text, (_, value: unknown) => (value === null ? undefined : value)) as unknown;
  } catch {
    return undefined;
  }
}

/** The words of an HTML page, for people: tags are noise. */
function plainText(body: string): string {
  return body
    .slice(0, 20_000)
    .replaceAll(/<(script|style)\b[^]*?<\/\1>/gi, ' ')
    .replaceAll(/<[^>]*>/g, ' ')
    .replaceAll(/\s+/g, ' ')
    .trim();
}

function describeIssue(issue: { path: readonly PropertyKey[]; message: string } | undefined): string {
  const place = (issue?.path ?? []).map(String).join('.');
  return place === '' ? 'is not what was asked for' : `has no good "${place}" (${issue?.message ?? ''})`;
}

/** A certificate that is not trusted now will not be in a second. */
function isAboutTrust(cause: unknown): boolean {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  return /^(?:UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|CERT_|ERR_TLS_CERT)/.test(code);
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code } = error as NodeJS.ErrnoException;
  const known: Readonly<Record<string, string>> = {
    ECONNREFUSED: 'the connection is refused',
    ECONNRESET: 'the connection broke',
    ENOTFOUND: 'its name does not resolve',
    EAI_AGAIN: 'its name does not resolve at the moment',
    ETIMEDOUT: 'it does not answer',
    UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate is of no trusted root; give that root under acme.roots',
    SELF_SIGNED_CERT_IN_CHAIN: 'its certificate is of no trusted root; give that root under acme.roots',
    DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is self-signed; give it under acme.roots',
    CERT_HAS_EXPIRED: 'its certificate has ended, by the clock of this machine; check both',
    CERT_NOT_YET_VALID: 'its certificate is not valid yet, by the clock of this machine; check both',
  };
  if (error.name === 'TimeoutError' || error.name === 'AbortError') return 'it does not answer';
  return (code === undefined ? undefined : known[code]) ?? error.message;
}
