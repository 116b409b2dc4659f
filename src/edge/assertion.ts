/**
 * Signs what an app may check for itself: a JWT (RFC 7519) by ES256 that says who comes, for one audience
 * and a few minutes. Signed once for a session and audience and used until half its life is over, so
 * that no request waits for a signature. Verifiers find the key by `kid` in `/.postern/jwks.json`.
 */
import { createPrivateKey, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import type { Identity } from '../core/person.ts';
import type { SigningKey } from '../session/assertion-keys.ts';
import { toldName } from '../policy/person-match.ts';
import { subjectOf } from './identity-headers.ts';
import type { AssertionWish, SignAssertion } from './identity-headers.ts';

export const ASSERTION_LIFETIME_MS = 300_000;

export interface AssertionDeps {
  /** The key that signs now, as the control thread hands it out. */
  readonly key: () => SigningKey | null;
  /** Of the sign-in host; null: the audience's own host speaks for itself. */
  readonly issuer: () => string | null;
  readonly now: () => number;
}

export function createAssertions(deps: AssertionDeps): SignAssertion {
  let held: { readonly key: SigningKey; readonly secret: KeyObject; readonly head: string } | null = null;
  const make = (wish: AssertionWish): ReturnType<SignAssertion> => {
    const key = deps.key();
    if (key === null) return null;
    if (held?.key !== key) {
      const secret = createPrivateKey({ key: Buffer.from(key.privateKey), format: 'der', type: 'pkcs8' });
      held = { key, secret, head: encoded({ alg: 'ES256', kid: key.kid, typ: 'JWT' }) };
    }
    const now = deps.now();
    const expiresAt = Math.min(now + ASSERTION_LIFETIME_MS, wish.expiresAt);
    const text = `${held.head}.${encoded(claimsOf(wish, deps.issuer() ?? wish.origin, { now, expiresAt }))}`;
    const signature = sign('sha256', Buffer.from(text), { key: held.secret, dsaEncoding: 'ieee-p1363' });
    return { token: `${text}.${signature.toString('base64url')}`, renewAt: now + (expiresAt - now) / 2 };
  };
  return Object.assign(make, { signer: deps.key });
}

interface Times {
  readonly now: number;
  readonly expiresAt: number;
}

/** Whole seconds: rounded so that it is valid at once and never longer than meant. */
function claimsOf(wish: AssertionWish, issuer: string, { now, expiresAt }: Times): Readonly<Record<string, unknown>> {
  const iat = Math.floor(now / 1_000);
  return {
    iss: issuer,
    aud: wish.audience,
    sub: subjectOf(wish.identity),
    iat,
    nbf: iat,
    exp: Math.floor(expiresAt / 1_000),
    ...attributesOf(wish.identity),
  };
}

function attributesOf(identity: Exclude<Identity, { kind: 'anonymous' }>): Readonly<Record<string, unknown>> {
  if (identity.kind === 'link') return { kind: identity.kind };
  if (identity.kind !== 'person') return { kind: identity.kind, preferred_username: identity.name };
  const { person } = identity;
  const { provider, displayName, email, emailVerified, groups, roles, amr } = person;
  return {
    kind: 'person',
    provider,
    preferred_username: toldName(person),
    name: displayName,
    ...(email !== null && emailVerified ? { email, email_verified: true } : {}),
    groups,
    roles,
    amr,
  };
}

function encoded(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
