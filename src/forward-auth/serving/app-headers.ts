/**
 * What an app is told about who comes, and what its answers carry, made once for each session. Names that the
 * settings inject are first removed from the request in every spelling, whoever comes: a skip rule is no way
 * to be somebody (CVE-2025-64484).
 */
import { createStripList } from '../../upstream/header-verdict.ts';
import { acceptedFields, hasSecret, SECRET_MS } from './accepted-head.ts';
import { claimFields } from './claim-headers.ts';
import type { HeaderEdits } from '../../config/document/hosts.ts';
import type { StripList } from '../../upstream/header-verdict.ts';
import type { HeaderBlock } from '../../wire/header-block.ts';
import type { AuthSession } from '../auth-session.ts';
import type { HeaderInjection, Settings } from '../settings.ts';
import type { Field } from './claim-headers.ts';

/** What only we say of a visitor, whatever the settings inject. */
const OURS = ['Gap-Auth', 'Gap-Signature'];

export interface AppHeaders {
  readonly strip: StripList | null;
  readonly requestFields: (session: AuthSession | null, headers: HeaderBlock) => readonly Field[];
  readonly responseEdits: (session: AuthSession | null) => HeaderEdits;
}

export function createAppHeaders(
  { requestHeaders, responseHeaders }: Pick<Settings, 'requestHeaders' | 'responseHeaders'>,
  now: () => number,
): AppHeaders {
  const kept = requestHeaders.filter((injection) => injection.keepsRequestValue);
  const fields = perSession(requestHeaders, now, (session) => claimFields(requestHeaders, session));
  const edits = perSession(responseHeaders, now, (session) => editsOf(acceptedFields(responseHeaders, session)));
  return {
    // Also those whose values are kept: they come back, joined with ours.
    strip: createStripList([...requestHeaders.map(({ name }) => name), ...OURS]),
    requestFields: (session, headers) =>
      kept.length === 0 ? fields(session) : withRequestValues(fields(session), kept, headers),
    responseEdits: edits,
  };
}

function perSession<T>(
  injections: readonly HeaderInjection[],
  now: () => number,
  make: (session: AuthSession | null) => T,
): (session: AuthSession | null) => T {
  const lastsMs = hasSecret(injections) ? SECRET_MS : Number.POSITIVE_INFINITY;
  const nobody = { [Symbol.toStringTag]: 'nobody' };
  const made = new WeakMap<object, { readonly value: T; readonly until: number }>();
  return (session) => {
    const key = session ?? nobody;
    const known = made.get(key);
    if (known !== undefined && now() < known.until) return known.value;
    const value = make(session);
    made.set(key, { value, until: now() + lastsMs });
    return value;
  };
}

function editsOf(fields: readonly Field[]): HeaderEdits {
  return { add: Object.fromEntries(fields), remove: [] };
}

/** `preserveRequestValue`: what the client said stays, before ours. The operator asked for it. */
function withRequestValues(
  fields: readonly Field[],
  kept: readonly HeaderInjection[],
  headers: HeaderBlock,
): readonly Field[] {
  const joined = new Map<string, Field>(fields.map((field) => [field[0].toLowerCase(), field]));
  for (const { name } of kept) {
    const key = name.toLowerCase();
    const said = headers.getAll(key);
    if (said.length === 0) continue;
    const ours = joined.get(key)?.[1];
    joined.set(key, [name, [...said.map(toText), ...(ours === undefined ? [] : [ours])].join(',')]);
  }
  return [...joined.values()];
}

/** Fields come as bytes, one a character. */
function toText(value: string): string {
  return Buffer.from(value, 'latin1').toString('utf8');
}
