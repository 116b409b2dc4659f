/** The head of 202 (or 200) for a session, printed once: `Gap-Auth` and what the settings add. */
import { claimFields } from './claim-headers.ts';
import { fixedHead } from './plain-answer.ts';
import type { ResponseHead } from '../../wire/exchange.ts';
import type { AuthSession } from '../auth-session.ts';
import type { HeaderInjection } from '../settings.ts';
import type { Field } from './claim-headers.ts';

/** `session` null: a skip rule let the request pass. */
export type AcceptedHeads = (session: AuthSession | null) => ResponseHead;

/** Values of secrets are read again at least this often. */
export const SECRET_MS = 10_000;

export function createAcceptedHeads(
  injections: readonly HeaderInjection[],
  now: () => number,
  status: 200 | 202 = 202,
): AcceptedHeads {
  const made = new WeakMap<AuthSession, { readonly head: ResponseHead; readonly until: number }>();
  const lastsMs = hasSecret(injections) ? SECRET_MS : Number.POSITIVE_INFINITY;
  return (session) => {
    if (session === null) return fixedHead(status, acceptedFields(injections, null));
    const known = made.get(session);
    if (known !== undefined && now() < known.until) return known.head;
    const head = fixedHead(status, acceptedFields(injections, session));
    made.set(session, { head, until: now() + lastsMs });
    return head;
  };
}

export function hasSecret(injections: readonly HeaderInjection[]): boolean {
  return injections.some(({ values }) =>
    values.some((value) => value.kind === 'fixed' || value.basicPassword !== null),
  );
}

/** Also the fields of an answer in proxy mode. */
export function acceptedFields(injections: readonly HeaderInjection[], session: AuthSession | null): Field[] {
  const fields = claimFields(injections, session);
  if (session === null) return fields;
  return [...claimFields([gapAuth(session.email === '' ? 'user' : 'email')], session), ...fields];
}

function gapAuth(claim: string): HeaderInjection {
  const values = [{ kind: 'claim', claim, prefix: '', basicPassword: null }] as const;
  return { name: 'Gap-Auth', keepsRequestValue: false, skipsNormalisation: false, values };
}
