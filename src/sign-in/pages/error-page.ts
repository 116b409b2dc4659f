/**
 * The answer to what went wrong, as a page, JSON or one line of text, by what the client accepts.
 * Says the status and a request id, never anything of the app, its address or the cause.
 * Imports nothing heavy: edge workers make it themselves.
 */
import { textsFor, type ErrorTexts, type Texts } from '../texts/texts.ts';
import type { Brand } from './brand.ts';
import { html } from './html.ts';
import { pageAnswer, type PlainAnswer } from './page.ts';

export interface ErrorFacts {
  readonly status: number;
  /** Stable code of core/errors.ts, e.g. "UPSTREAM_TIMEOUT". */
  readonly code: string;
  readonly requestId: string;
  /** The request's Accept field; left out: a page. */
  readonly accept?: string | null;
  readonly acceptLanguage?: string | null;
  readonly brand?: Brand;
  /** Seconds for Retry-After. */
  readonly retryAfter?: number;
  /** Short name of the rule of HTTP that the request breaks. Holds nothing of the request. */
  readonly rule?: string | null;
}

/** What the same request may get through a moment later. */
const RETRIABLE = new Set([408, 429, 500, 502, 503, 504]);

export type AnswerFormat = 'html' | 'json' | 'text';

/** What a client would rather read. Order decides; weights only where something is refused (q=0). */
export function formatFor(accept: string | null | undefined): AnswerFormat {
  if (accept === null || accept === undefined) return 'text';
  for (const range of accept.slice(0, 1_000).toLowerCase().split(',')) {
    const [type = '', ...parameters] = range.split(';').map((one) => one.trim());
    if (parameters.some((one) => /^q=0(?:\.0{0,3})?$/.test(one))) continue;
    if (type === 'text/html' || type === 'application/xhtml+xml') return 'html';
    if (type === 'application/json' || type.endsWith('+json')) return 'json';
    if (type === 'text/plain') return 'text';
  }
  return 'text';
}

export function errorPage(facts: ErrorFacts): PlainAnswer {
  const texts = textsFor(facts.acceptLanguage);
  const words = wordsOf(texts, facts);
  const { rule = null } = facts;
  const retry: [string, string][] = facts.retryAfter === undefined ? [] : [['Retry-After', String(facts.retryAfter)]];
  const format = formatFor(facts.accept === undefined ? 'text/html' : facts.accept);
  if (format === 'html') {
    const again = RETRIABLE.has(facts.status) && html`<a class="button quiet" href="">${texts.tryAgain}</a>`;
    const main = html`<p class="status">${facts.status}</p>
      <h1>${words.title}</h1>
      <p class="soft">${words.text}</p>
      ${
        rule !== null &&
        html`<dl>
          <dt>${texts.denied.rule}</dt>
          <dd class="mono">${rule}</dd>
        </dl>`
      }
      ${again}`;
    const brand = facts.brand === undefined ? {} : { brand: facts.brand };
    const page = pageAnswer(facts.status, { texts, title: words.title, main, requestId: facts.requestId, ...brand });
    return { ...page, headers: [...page.headers, ...retry] };
  }
  const isJson = format === 'json';
  // Whoever wrote the program that asks has only this to go by.
  const message = facts.status === 400 && rule === null ? `${words.title}: ${words.text}` : words.title;
  const named = rule === null ? {} : { rule };
  const body = isJson
    ? `${JSON.stringify({ error: facts.code.toLowerCase(), status: facts.status, message, ...named, request_id: facts.requestId })}\n`
    : `${facts.status} ${rule ?? message}\n${texts.requestId} ${facts.requestId}\n`;
  return { status: facts.status, headers: [...plainHeaders(isJson), ...retry], body };
}

/** Fields of an answer for machines. */
export function plainHeaders(isJson: boolean): [name: string, value: string][] {
  return [
    ['Content-Type', isJson ? 'application/json' : 'text/plain; charset=utf-8'],
    ['X-Content-Type-Options', 'nosniff'],
    ['Referrer-Policy', 'no-referrer'],
    ['Cross-Origin-Resource-Policy', 'same-origin'],
    ['Cache-Control', 'no-store'],
    ['Vary', 'Accept, Accept-Language'],
  ];
}

function wordsOf(texts: Texts, facts: ErrorFacts): ErrorTexts {
  const table = texts.errors;
  if (Object.hasOwn(table, facts.code)) return table[facts.code] ?? table.other;
  return table[String(facts.status)] ?? table.other;
}
