/**
 * One HTTP API of a DNS provider: authenticated requests with a timeout each, retries of what may pass
 * (429, 5xx, a broken connection) with Retry-After and backoff, answers read up to a limit. Redirects are
 * refused, since the credentials must not follow them. Every failure says host, step, words and remedy.
 */
import type * as z from 'zod';
import type { PosternError } from '../../core/errors.ts';
import { type Answer, readAnswer, titleOf } from './answer-shape.ts';
import { type DnsErrorCode, dnsError, maskSecrets, reasonOf } from './dns-error.ts';
import type { ProviderTools } from './tools.ts';

export interface ApiOptions {
  /** "Cloudflare". */
  readonly provider: string;
  /** "https://api.cloudflare.com/client/v4". */
  readonly base: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Headers that depend on the request: signatures, and tokens that are fetched first. */
  readonly authorize?: (draft: Draft, signal: AbortSignal) => Promise<Readonly<Record<string, string>>>;
  /** What an error's answer says in words; null where it is not of the known form. */
  readonly wordsOf?: (body: unknown) => string | null;
  /** The same for answers that are no JSON. */
  readonly wordsOfText?: (text: string) => string | null;
  /** What the credentials need, said where they are refused. */
  readonly permission: string;
  /** Answers besides 429 and 5xx that may pass when asked again. */
  readonly isTransient?: (answer: Answer) => boolean;
  /** Answers besides 401 and 403 that mean refused credentials. */
  readonly isRefusal?: (answer: Answer) => boolean;
  readonly secrets: readonly string[];
}

export interface Call {
  /** "find the zone": completes "Cannot …". */
  readonly step: string;
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Below the base, or a whole URL of the same origin (the next page). */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly json?: unknown;
  readonly body?: { readonly type: string; readonly text: string };
  readonly headers?: Readonly<Record<string, string>>;
  /** Answers besides 2xx that are none of an error here: 404 while looking for a zone. */
  readonly pass?: readonly number[] | ((answer: Answer) => boolean);
  readonly signal: AbortSignal;
}

export interface Draft {
  readonly method: string;
  readonly url: URL;
  readonly body: string;
}

export interface Api {
  readonly provider: string;
  readonly permission: string;
  readonly send: (call: Call) => Promise<Answer>;
  /** The answer's JSON in the documented shape. */
  readonly read: <T>(call: Call, shape: z.ZodType<T>) => Promise<T>;
  /** The same, or null for 404: there is no such thing. */
  readonly readIfThere: <T>(call: Call, shape: z.ZodType<T>) => Promise<T | null>;
}

const ATTEMPTS = 4;
const FIRST_BACKOFF_MS = 500;
/** A longer Retry-After is the caller's business: the order is tried again later. */
const LONGEST_RETRY_AFTER_MS = 60_000;
const LONGEST_ANSWER = 4 * 1024 * 1024;

export function createApi(options: ApiOptions, tools: ProviderTools): Api {
  const reader = { provider: options.provider, host: new URL(options.base).host };
  const send = async (call: Call): Promise<Answer> => {
    for (let attempt = 1; ; attempt++) {
      const outcome = await tryOnce(options, call, tools);
      call.signal.throwIfAborted();
      if (outcome.answer !== undefined && isFine(outcome.answer, call, options)) return outcome.answer;
      const waitMs = attempt < ATTEMPTS ? waitBefore(outcome, attempt, options, tools) : null;
      if (waitMs === null) throw failure(outcome, call, options);
      await tools.sleep(waitMs, call.signal);
    }
  };
  return {
    provider: options.provider,
    permission: options.permission,
    send,
    read: async (call, shape) => readAnswer(await send(call), shape, call.step, reader),
    readIfThere: async (call, shape) => {
      const answer = await send({ ...call, pass: [404] });
      return answer.status === 404 ? null : readAnswer(answer, shape, call.step, reader);
    },
  };
}

type Outcome =
  | { readonly answer: Answer; readonly error?: undefined }
  | { readonly answer?: undefined; readonly error: unknown };

async function tryOnce(options: ApiOptions, call: Call, tools: ProviderTools): Promise<Outcome> {
  const draft = draftOf(options, call);
  const authorization = (await options.authorize?.(draft, call.signal)) ?? {};
  const timeout = AbortSignal.timeout(tools.timeoutMs);
  try {
    const response = await tools.fetch(draft.url.href, {
      method: draft.method,
      headers: {
        accept: 'application/json',
        ...bodyHeaders(call),
        ...options.headers,
        ...authorization,
        ...call.headers,
      },
      ...(draft.body === '' ? {} : { body: draft.body }),
      redirect: 'manual',
      signal: AbortSignal.any([call.signal, timeout]),
    });
    const text = await readBody(response);
    return { answer: { status: response.status, headers: response.headers, text, json: parseJson(text) } };
  } catch (error) {
    return { error: timeout.aborted ? new Error(`no answer within ${tools.timeoutMs / 1000} s`) : error };
  }
}

function draftOf({ base }: ApiOptions, call: Call): Draft {
  const url = new URL(call.path.startsWith('https:') || call.path.startsWith('http:') ? call.path : base + call.path);
  if (url.origin !== new URL(base).origin) throw new TypeError('Cannot follow a link to another origin');
  for (const [name, value] of Object.entries(call.query ?? {})) url.searchParams.set(name, value);
  const body = call.json === undefined ? (call.body?.text ?? '') : JSON.stringify(call.json);
  return { method: call.method ?? 'GET', url, body };
}

function bodyHeaders({ json, body }: Call): Record<string, string> {
  if (json !== undefined) return { 'content-type': 'application/json' };
  return body === undefined ? {} : { 'content-type': body.type };
}

async function readBody(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > LONGEST_ANSWER) throw new Error('the answer is longer than 4 MiB');
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isFine(answer: Answer, { pass = [] }: Call, { isRefusal, isTransient }: ApiOptions): boolean {
  if (isRefusal?.(answer) === true || isTransient?.(answer) === true) return false;
  const passes = typeof pass === 'function' ? pass(answer) : pass.includes(answer.status);
  return passes || (answer.status >= 200 && answer.status < 300);
}

/** Milliseconds until the next attempt; null where another one cannot help. */
function waitBefore(outcome: Outcome, attempt: number, options: ApiOptions, tools: ProviderTools): number | null {
  const { answer } = outcome;
  const mayPass =
    answer === undefined || answer.status === 429 || answer.status >= 500 || options.isTransient?.(answer) === true;
  if (!mayPass) return null;
  const backoff = FIRST_BACKOFF_MS * 2 ** (attempt - 1) * (0.75 + tools.random() / 2);
  const asked = answer === undefined ? null : retryAfterMs(answer.headers.get('retry-after'), tools.clock.now());
  if (asked === null) return backoff;
  return asked > LONGEST_RETRY_AFTER_MS ? null : Math.max(asked, backoff);
}

/** Seconds or a date (RFC 9110 section 10.2.3); null for anything else. */
function retryAfterMs(value: string | null, now: number): number | null {
  if (value === null) return null;
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? null : Math.max(0, date - now);
}

function failure(outcome: Outcome, call: Call, options: ApiOptions): PosternError {
  const { host } = new URL(options.base);
  const told = { step: call.step, provider: options.provider, facts: { host } };
  const { answer } = outcome;
  if (answer === undefined) {
    const words = maskSecrets(reasonOf(outcome.error), options.secrets);
    const remedy = 'check the network, and a firewall on the way out';
    return dnsError({ ...told, code: 'DNS_PROVIDER_UNAVAILABLE', what: `${host} cannot be reached`, words, remedy });
  }
  const isRefusal = answer.status === 401 || answer.status === 403 || options.isRefusal?.(answer) === true;
  const isAway = answer.status === 429 || answer.status >= 500 || options.isTransient?.(answer) === true;
  const code: DnsErrorCode = isAway && !isRefusal ? 'DNS_PROVIDER_UNAVAILABLE' : 'DNS_PROVIDER_REFUSED';
  const words = maskSecrets(wordsOf(answer, options), options.secrets);
  const facts = { ...told.facts, status: answer.status };
  return dnsError({
    ...told,
    code,
    what: `${host} answered ${answer.status}`,
    words,
    remedy: remedyOf(answer, isRefusal, options),
    facts,
  });
}

function wordsOf(answer: Answer, options: ApiOptions): string {
  const known = answer.json === undefined ? options.wordsOfText?.(answer.text) : options.wordsOf?.(answer.json);
  if (known !== null && known !== undefined) return known;
  const location = answer.headers.get('location');
  if (answer.status >= 300 && answer.status < 400) return `a redirect to ${location ?? 'nowhere'}`;
  return titleOf(answer.text) ?? answer.text;
}

function remedyOf(answer: Answer, isRefusal: boolean, { permission }: ApiOptions): string | null {
  if (isRefusal) return permission;
  const wait = answer.headers.get('retry-after');
  if (answer.status === 429)
    return wait === null ? 'wait, and order fewer names at once' : `it asks to wait: ${wait} s`;
  if (answer.status >= 300 && answer.status < 400)
    return 'redirects are not followed, so that the credentials stay here: check the address';
  return null;
}
