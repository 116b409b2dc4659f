/**
 * One request to Postern's own pages, taken apart once, and the ways to answer it.
 */
import { textsFor, type Texts } from './texts/texts.ts';
import { errorPage } from './pages/error-page.ts';
import { pageAnswer, type PagePolicy, type PlainAnswer } from './pages/page.ts';
import type { Html } from './pages/html.ts';
import type { FieldReader } from './request-kind.ts';
import { splitUrl, type UrlParts } from './return-path.ts';
import type { SignInDeps, SignInMemory, SignInRequest, SignInSettings } from './ports.ts';

const FORM = /^application\/x-www-form-urlencoded\s*(?:;|$)/i;

export interface Context {
  readonly deps: SignInDeps & SignInMemory;
  readonly settings: SignInSettings;
  readonly request: SignInRequest;
  readonly url: UrlParts;
  readonly query: URLSearchParams;
  readonly headers: FieldReader;
  readonly texts: Texts;
  readonly now: number;
}

export function createContext(deps: SignInDeps & SignInMemory, request: SignInRequest): Context {
  const url = splitUrl(request.url);
  const headers = createFieldReader(request.headers);
  return {
    deps,
    settings: deps.settings(),
    request,
    url,
    query: new URLSearchParams(url.query),
    headers,
    texts: textsFor(headers.get('accept-language')),
    now: deps.clock.now(),
  };
}

/** Fields of one name are joined, so that a doubled Origin equals none. */
export function createFieldReader(fields: SignInRequest['headers']): FieldReader {
  const map = new Map<string, string>();
  for (const [name, value] of fields) {
    const key = name.toLowerCase();
    const before = map.get(key);
    map.set(key, before === undefined ? value : `${before}, ${value}`);
  }
  return { get: (key) => map.get(key) };
}

/** The fields of a posted form; null where the body is none. */
export function readForm(context: Context): URLSearchParams | null {
  const { body } = context.request;
  if (body === null || !FORM.test(context.headers.get('content-type') ?? '')) return null;
  return new URLSearchParams(new TextDecoder().decode(body));
}

export interface PageWords {
  readonly title: string;
  readonly main: Html;
  /** Path of a script of ours. */
  readonly script?: string;
  readonly head?: Html;
}

export interface PageOptions extends PagePolicy {
  readonly cookies?: readonly (string | null)[];
  readonly retryAfter?: number;
}

export function answerPage(context: Context, status: number, words: PageWords, options: PageOptions = {}): Response {
  const { texts, settings, request } = context;
  const requestId = status >= 400 ? request.requestId : null;
  const answer = pageAnswer(status, { texts, ...words, brand: settings.brand, requestId }, options);
  const response = toResponse(answer, options.cookies);
  if (options.retryAfter !== undefined) response.headers.set('Retry-After', String(options.retryAfter));
  return response;
}

export function answerError(context: Context, status: number, code: string, retryAfter?: number): Response {
  const { request, headers } = context;
  const facts = { status, code, requestId: request.requestId, accept: headers.get('accept') ?? null };
  const look = { acceptLanguage: headers.get('accept-language') ?? null, brand: context.settings.brand };
  return toResponse(errorPage({ ...facts, ...look, ...(retryAfter === undefined ? {} : { retryAfter }) }));
}

/** `no-referrer`: what a URL of a hand-off holds must not reach the next site. */
export function answerRedirect(
  status: 302 | 303,
  location: string,
  cookies: readonly (string | null)[] = [],
): Response {
  const fields: [string, string][] = [
    ['Location', location],
    ['Cache-Control', 'no-store'],
    ['Referrer-Policy', 'no-referrer'],
    ['X-Content-Type-Options', 'nosniff'],
    ['Content-Security-Policy', "default-src 'none'; frame-ancestors 'none'"],
  ];
  return toResponse({ status, headers: fields, body: '' }, cookies);
}

export function toResponse(answer: PlainAnswer, cookies: readonly (string | null)[] = []): Response {
  const headers = new Headers(answer.headers.map(([name, value]): [string, string] => [name, value]));
  for (const cookie of cookies) if (cookie !== null) headers.append('Set-Cookie', cookie);
  return new Response(answer.body === '' ? null : answer.body, { status: answer.status, headers });
}
