/** Codes and refresh tokens of the twin, each good once; it counts those that came again. */
import { hash, randomUUID } from 'node:crypto';
import type { Claims } from './_twin-keys.ts';

interface IssuedCode {
  readonly clientId: string;
  readonly redirectUri: string;
  readonly challenge: string;
  readonly nonce: string | null;
  /** Of whoever signed in: others may sign in before the code is redeemed. */
  readonly claims: Claims;
  used: boolean;
}

export class TwinGrants {
  /** Good refreshes by `sub`. */
  readonly refreshesOf: Map<string, number> = new Map();
  refreshes = 0;
  reused = 0;
  readonly #codes = new Map<string, IssuedCode>();
  /** Whose each is; `null` once it was used. */
  readonly #refreshTokens = new Map<string, { readonly subject: string } | null>();

  issueCode(query: URLSearchParams, claims: Claims): string {
    const code = randomUUID();
    this.#codes.set(code, {
      clientId: query.get('client_id') ?? '',
      redirectUri: query.get('redirect_uri') ?? '',
      challenge: query.get('code_challenge') ?? '',
      nonce: query.get('nonce'),
      claims,
      used: false,
    });
    return code;
  }

  redeemCode(form: URLSearchParams): Claims | null {
    const issued = this.#codes.get(form.get('code') ?? '');
    if (issued === undefined || issued.used || issued.redirectUri !== form.get('redirect_uri')) return null;
    issued.used = true;
    const verifier = form.get('code_verifier') ?? '';
    // Who began without PKCE ends without it (RFC 7636 section 4.6).
    const isHeld = issued.challenge === '' ? verifier === '' : s256(verifier) === issued.challenge;
    if (!isHeld) return null;
    return issued.nonce === null ? issued.claims : { ...issued.claims, nonce: issued.nonce };
  }

  issueRefreshToken(subject: string): string {
    const token = randomUUID();
    this.#refreshTokens.set(token, { subject });
    return token;
  }

  /** Answers whose it is; null where it counts no more. */
  redeemRefreshToken(token: string): string | null {
    this.refreshes++;
    const known = this.#refreshTokens.get(token);
    if (known === null) this.reused++;
    if (known === null || known === undefined) return null;
    // Rotation: a token is good once.
    this.#refreshTokens.set(token, null);
    this.refreshesOf.set(known.subject, (this.refreshesOf.get(known.subject) ?? 0) + 1);
    return known.subject;
  }
}

function s256(verifier: string): string {
  return hash('sha256', verifier, 'base64url');
}
