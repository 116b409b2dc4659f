/**
 * Reads claims as oauth2-proxy does: a name is first the name of one claim, then a way down with dots; what
 * the ID token does not have, the profile may. What has several forms (one, a list, objects) is made texts.
 */
import { isMap, isUsable, type Claims } from '../../sign-in/oauth/json.ts';

export interface ClaimReader {
  /** Undefined where nobody has it. Asks the profile only if it must, and then once. */
  readonly get: (claim: string) => Promise<unknown>;
}

const MAX_NAMES = 2_000;

export function createClaimReader(own: Claims, profile: () => Promise<Claims>): ClaimReader {
  let asked: Promise<Claims> | null = null;
  return {
    async get(claim) {
      if (claim === '') return undefined;
      const value = claimAt(own, claim);
      if (value !== undefined) return value;
      asked ??= profile();
      return claimAt(await asked, claim);
    },
  };
}

/** Null counts as not there. */
export function claimAt(claims: Claims, path: string): unknown {
  if (Object.hasOwn(claims, path)) return claims[path] ?? undefined;
  let at: unknown = claims;
  for (const step of path.split('.')) {
    if (!isMap(at) || !Object.hasOwn(at, step)) return undefined;
    at = at[step];
  }
  return at ?? undefined;
}

/** Texts of a list or of one value; what is no text becomes JSON, as Go writes it. */
export function textsOf(value: unknown): readonly string[] {
  if (value === undefined || value === null) return [];
  const texts = new Set<string>();
  for (const one of Array.isArray(value) ? (value as unknown[]) : [value]) {
    const text = typeof one === 'string' ? one : goJson(one);
    if (texts.size < MAX_NAMES && isUsable(text)) texts.add(text);
  }
  return [...texts];
}

/** Go's strconv.ParseBool; whatever is neither is false. */
export function isTrue(value: unknown): boolean {
  if (typeof value === 'string') return ['1', 't', 'T', 'TRUE', 'true', 'True'].includes(value);
  return value === true || (typeof value === 'number' && value !== 0);
}

/** Names sorted and `<`, `>`, `&` escaped, so that groups written down for oauth2-proxy still match. */
function goJson(value: unknown): string {
  if (value === null || value === undefined) return '';
  const text = JSON.stringify(value, (_, one: unknown) =>
    isMap(one) ? Object.fromEntries(Object.entries(one).toSorted(([a], [b]) => (a < b ? -1 : 1))) : one,
  );
  return text.replaceAll(/[<>&]/g, (char) => `\\u00${char.charCodeAt(0).toString(16)}`);
}
