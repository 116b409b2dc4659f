/**
 * HTML by tagged template: every value is escaped unless it is itself a piece of Html, so a page
 * cannot forget to escape. Attribute values stand in double quotes. URLs are built by the pages from
 * parts they own, never taken from a request.
 */
const UNSAFE = /[&<>"'`]/;
const UNSAFE_ALL = /[&<>"'`]/g;
const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
  '`': '&#96;',
};

/** A finished piece. Only `html` and `trusted` make one. */
export class Html {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  toString(): string {
    return this.#text;
  }
}

export type HtmlValue = Html | string | number | null | false | readonly Html[];

export function html(texts: TemplateStringsArray, ...values: readonly HtmlValue[]): Html {
  let all = texts[0] ?? '';
  for (let i = 0; i < values.length; i++) all += render(values[i] as HtmlValue) + (texts[i + 1] ?? '');
  return new Html(all);
}

/** For constants of this program, never for anything that came from outside. */
export function trusted(constant: string): Html {
  return new Html(constant);
}

export function escapeHtml(text: string): string {
  return UNSAFE.test(text) ? text.replace(UNSAFE_ALL, (one) => ENTITIES[one] ?? '') : text;
}

function render(value: HtmlValue): string {
  if (value === null || value === false) return '';
  if (value instanceof Html) return value.toString();
  if (typeof value === 'object') return value.map(String).join('');
  return escapeHtml(String(value));
}
