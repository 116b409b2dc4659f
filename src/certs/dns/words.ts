/** Reads the words of an error out of the forms that APIs use. */
import * as z from 'zod';

/** Of an object, the first of these keys that holds text: `{ "message": "…" }`. */
export function wordsAt(...keys: readonly string[]): (body: unknown) => string | null {
  return (body) => {
    if (typeof body !== 'object' || body === null) return null;
    for (const key of keys) {
      const value: unknown = (body as Record<string, unknown>)[key];
      if (typeof value === 'string' && value !== '') return value;
    }
    return null;
  };
}

const NESTED = z.object({
  error: z.object({ code: z.union([z.string(), z.number()]).optional(), message: z.string() }),
});

/** `{ "error": { "code": "forbidden", "message": "…" } }`: "… (forbidden)". */
export function nestedWords(body: unknown): string | null {
  const result = NESTED.safeParse(body);
  if (!result.success) return wordsAt('error_description', 'error', 'message')(body);
  const { code, message } = result.data.error;
  return code === undefined ? message : `${message} (${code})`;
}
