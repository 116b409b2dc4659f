/**
 * Keeps secrets out of logs: by the name of a field, at any depth, in header lists and in the queries of
 * URLs. Numbers, booleans and null pass, since a count or a flag is no secret. Copies, never changes
 * what it is given.
 */
import { ERRORS } from './errors.ts';

export const MASK = '***';
const MAX_DEPTH = 8;
const MAX_ITEMS = 200;

/** Compared with names in lower case, without "-", "_", "." and spaces. */
const SECRET_ENDINGS =
  /(?:cookies?|authori[sz]ation|passw(?:or)?ds?|passwd|passphrase|secrets?|tokens?|tickets?|ticketkeys?|privatekey|keypem|apikeys?|credentials?|otp|jwt|assertion|signature|recoverycodes?)$/;
const SECRET_WORDS = new Set(['code', 'codes', 'key', 'keys', 'pass', 'pwd', 'sig', 'nonce', 'samlresponse']);
/** Harmless as facts of ours, not in a URL. */
const SECRET_PARAMETERS = new Set(['state', 'session', 'sid', 'sessionid']);
/** Tokens of ours, whatever they stand in: see session/service-token.ts. */
const OWN_TOKEN = /(postern_[a-z0-9]{4,16}_)[0-9A-Za-z]{8,}/g;
/** One look at a whole query, so that the usual one costs next to nothing. "%" may hide a name. */
const MAYBE_SECRET =
  /code|key|pass|pwd|sig|nonce|state|session|sid|saml|cookie|auth|secret|token|ticket|credential|otp|jwt|assertion|%/i;
/** Error codes of ours, of Node and of SQLite, in a field named "code". */
const ERROR_CODE = /^(?:E[A-Z0-9]{2,}|[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)$/;
const URL_QUERY = /\?[^\s"'<>#]*/g;

export function isSecretName(name: string): boolean {
  const plain = name.toLowerCase().replaceAll(/[-_. ]/g, '');
  return SECRET_WORDS.has(plain) || SECRET_ENDINGS.test(plain);
}

/** Masks the secret part of machines' tokens. */
export function redactTokens(text: string): string {
  return text.includes('postern_') ? text.replaceAll(OWN_TOKEN, `$1${MASK}`) : text;
}

/** Masks the values of secret parameters in "?a=1&token=x". Text without "=" keeps its form. */
export function redactQuery(query: string): string {
  if (!MAYBE_SECRET.test(query)) return query;
  const start = query.startsWith('?') ? 1 : 0;
  const parts = query.slice(start).split(/([&;])/);
  return query.slice(0, start) + parts.map(redactParameter).join('');
}

function redactParameter(part: string): string {
  const equals = part.indexOf('=');
  if (equals === -1 || equals === part.length - 1) return part;
  const name = part.slice(0, equals);
  // "user[password]" is a password too.
  const isSecret = decoded(name)
    .split(/[[\]]+/)
    .some((word) => isSecretName(word) || SECRET_PARAMETERS.has(word.toLowerCase()));
  return isSecret ? `${name}=${MASK}` : part;
}

function decoded(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return 'secret';
  }
}

/** A copy of the facts that may be logged. Errors become name, code, message, facts and cause. */
export function redactFacts(facts: object): Record<string, unknown> {
  return redactObject(facts, 0, new Set([facts]));
}

function redactObject(value: object, depth: number, above: ReadonlySet<object>): Record<string, unknown> {
  const entries: [unknown, unknown][] = value instanceof Map ? [...value.entries()] : Object.entries(value);
  return Object.fromEntries(
    entries.slice(0, MAX_ITEMS).map(([key, inner]) => {
      const name = typeof key === 'string' ? key : `[${typeof key}]`;
      return [name, redactNamed(name, inner, depth + 1, above)];
    }),
  );
}

function redactNamed(name: string, value: unknown, depth: number, above: ReadonlySet<object>): unknown {
  if (isPlain(value)) return value;
  if (isSecretName(name) && !isErrorCode(name, value)) return MASK;
  return redactValue(value, depth, above);
}

function isPlain(value: unknown): boolean {
  return value === null || value === undefined || typeof value === 'number' || typeof value === 'boolean';
}

function isErrorCode(name: string, value: unknown): boolean {
  return name === 'code' && typeof value === 'string' && (Object.hasOwn(ERRORS, value) || ERROR_CODE.test(value));
}

function redactValue(value: unknown, depth: number, above: ReadonlySet<object>): unknown {
  if (typeof value === 'string')
    return redactTokens(value.includes('?') ? value.replaceAll(URL_QUERY, redactQuery) : value);
  if (typeof value === 'bigint') return value.toString();
  if (isPlain(value)) return value;
  if (typeof value !== 'object') return `[${typeof value}]`;
  const object = value as object;
  if (above.has(object)) return '[circular]';
  if (depth > MAX_DEPTH) return '[deep]';
  if (ArrayBuffer.isView(object) || object instanceof ArrayBuffer) return `[${object.byteLength} bytes]`;
  if (object instanceof Date) return Number.isNaN(object.getTime()) ? null : object.toISOString();
  if (object instanceof URL) return redactValue(object.href, depth, above);
  const within = new Set([...above, object]);
  if (object instanceof Error) return redactError(object, depth, within);
  if (Array.isArray(object)) return redactList(object as unknown[], depth, within);
  if (object instanceof Set) return redactList([...(object as Set<unknown>)], depth, within);
  return redactObject(object, depth, within);
}

/** A pair whose first half is a secret name is a header field: ["cookie", "..."]. */
function redactList(list: readonly unknown[], depth: number, above: ReadonlySet<object>): unknown[] {
  const [name, value] = list;
  if (list.length === 2 && typeof name === 'string' && typeof value === 'string' && isSecretName(name))
    return [name, MASK];
  return list.slice(0, MAX_ITEMS).map((item) => redactValue(item, depth + 1, above));
}

function redactError(error: Error, depth: number, above: ReadonlySet<object>): Record<string, unknown> {
  const own = redactObject(error, depth, above);
  const message = redactValue(error.message, depth, above);
  const cause = error.cause === undefined ? {} : { cause: redactValue(error.cause, depth + 1, above) };
  return { ...own, name: error.name, message, ...cause };
}
