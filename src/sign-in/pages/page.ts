/**
 * The frame of every page that people see, and the security fields of its answer. Works without
 * script; nothing is loaded from anywhere; no page is cached, framed or sniffed.
 */
import type { Texts } from '../texts/texts.ts';
import { brandStyle, POSTERN_BRAND, type Brand } from './brand.ts';
import { html, trusted, type Html } from './html.ts';
import { STYLE, STYLE_SOURCE } from './style.ts';

export type HeaderList = readonly (readonly [name: string, value: string])[];

/** An answer as plain data: edge workers send it, handlers make a Response of it. */
export interface PlainAnswer {
  readonly status: number;
  readonly headers: HeaderList;
  readonly body: string;
}

export interface PageParts {
  readonly texts: Texts;
  readonly title: string;
  readonly main: Html;
  /** The operator's; Postern's own by default. */
  readonly brand?: Brand;
  readonly requestId?: string | null;
  readonly isWide?: boolean;
  /** Without the line of name and logo. */
  readonly isBare?: boolean;
  /** The operator's own, under the card. */
  readonly footer?: Html | null;
  /** Path of a script of the same origin. */
  readonly script?: string;
  /** More for the head. */
  readonly head?: Html;
}

/** A small round-topped door, ajar, with a keyhole. */
const DOOR =
  '<path d="M2 23V10a8 8 0 0 1 16 0v13z" fill="none" stroke="currentColor" stroke-width="2" stroke-linejoin="round"/>' +
  '<path d="M6 23V10.5a4 4 0 0 1 4-4.2V23z" fill="currentColor" opacity=".28"/>' +
  '<path d="M10 6.3v16.7" stroke="currentColor" stroke-width="1.4"/>' +
  '<circle cx="13.2" cy="14.6" r="1.3" fill="currentColor"/>';
/** Postern's door. */
export const MARK: Html = trusted(`<svg viewBox="0 0 20 24" aria-hidden="true" focusable="false">${DOOR}</svg>`);
const ICON = trusted(
  `data:image/svg+xml,${encodeURIComponent(
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="-2 0 24 24" color="#3f8f78">${DOOR}</svg>`,
  )}`,
);
const STYLE_ELEMENT = trusted(`<style>${STYLE}</style>`);

export function renderPage(parts: PageParts): string {
  const { texts, title, main, requestId } = parts;
  const brand = parts.brand ?? POSTERN_BRAND;
  const { name, logo } = brand;
  return html`<!doctype html>
<html lang="${texts.language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="robots" content="noindex">
<title>${title}${name !== '' && html` · ${name}`}</title>
<link rel="icon" href="${logo ?? ICON}">
${STYLE_ELEMENT}${brandStyle(brand)?.element ?? null}${parts.head ?? null}
</head>
<body>
${parts.isBare !== true && html`<div class="brand">${logo === null ? MARK : html`<img class="logo" src="${logo}" alt="" />`}${name !== '' && html`<span>${name}</span>`}</div> `}
<main${parts.isWide === true && trusted(' class="wide"')}>
${main}
</main>
${parts.footer !== undefined && parts.footer !== null && html`<footer>${parts.footer}</footer> `}${requestId !== undefined && requestId !== null && html`<footer>${texts.requestId} <span class="mono">${requestId}</span></footer> `}${
    parts.script !== undefined && html`<script src="${parts.script}" defer></script> `
  }</body>
</html>
`.toString();
}

export interface PagePolicy {
  /** Further `form-action` sources beside 'self'. */
  readonly formAction?: readonly string[];
  readonly hasScript?: boolean;
  /** Source expressions of inline scripts: their hashes. */
  readonly scripts?: readonly string[];
  /** Further `img-src` sources beside "data:". */
  readonly images?: readonly string[];
  readonly referrer?: 'no-referrer' | 'same-origin' | 'strict-origin';
  /** Whose colour the page wears. */
  readonly brand?: Brand;
}

/**
 * `same-origin` and not `no-referrer`: under the latter a browser sends `Origin: null` with a form
 * (Fetch, "append a request Origin header"), and forms are checked by Origin.
 */
export function pageHeaders(policy: PagePolicy = {}): [name: string, value: string][] {
  const ownStyle = brandStyle(policy.brand ?? POSTERN_BRAND);
  const csp = [
    "default-src 'none'",
    `style-src ${STYLE_SOURCE}${ownStyle === null ? '' : ` ${ownStyle.source}`}`,
    `img-src ${['data:', ...(policy.images ?? [])].join(' ')}`,
    `form-action ${["'self'", ...(policy.formAction ?? [])].join(' ')}`,
    "base-uri 'none'",
    "frame-ancestors 'none'",
    ...(policy.hasScript === true ? ["script-src 'self'", "connect-src 'self'"] : []),
    ...(policy.scripts === undefined ? [] : [`script-src ${policy.scripts.join(' ')}`]),
  ];
  return [
    ['Content-Type', 'text/html; charset=utf-8'],
    ['Content-Security-Policy', csp.join('; ')],
    ['X-Content-Type-Options', 'nosniff'],
    ['X-Frame-Options', 'DENY'],
    ['Referrer-Policy', policy.referrer ?? 'same-origin'],
    ['Permissions-Policy', 'camera=(), geolocation=(), microphone=(), payment=(), usb=()'],
    ['Cross-Origin-Opener-Policy', 'same-origin'],
    ['Cross-Origin-Resource-Policy', 'same-origin'],
    ['Cache-Control', 'no-store'],
    ['Vary', 'Accept, Accept-Language'],
  ];
}

export function pageAnswer(status: number, parts: PageParts, policy: PagePolicy = {}): PlainAnswer {
  const { brand } = parts;
  return { status, headers: pageHeaders(brand === undefined ? policy : { ...policy, brand }), body: renderPage(parts) };
}
