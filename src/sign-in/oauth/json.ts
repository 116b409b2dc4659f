/** What JSON of a provider holds, looked at before it is used. */

export type Claims = Readonly<Record<string, unknown>>;

const MAX_LENGTH = 1_024;
/** Nothing that ends a header or hides in a log. */
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;

export function isMap(value: unknown): value is Claims {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** One text; a list counts if it holds a single one (an `emails` claim), never as several. */
export function textOf(value: unknown): string | null {
  const one: unknown = Array.isArray(value) && value.length === 1 ? value[0] : value;
  if (typeof one !== 'string' && typeof one !== 'number') return null;
  const text = String(one);
  return isUsable(text) ? text : null;
}

export function isUsable(text: string): boolean {
  return text !== '' && text.length <= MAX_LENGTH && !CONTROL.test(text);
}
