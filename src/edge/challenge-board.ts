/**
 * Answers to the challenges of CAs, as the control thread hands them to every worker: tokens under
 * /.well-known/acme-challenge/ (RFC 8555 section 8.3) and certificates for TLS-ALPN-01 (RFC 8737). Only what
 * is on the board is answered; every other request and handshake goes its usual way.
 */
import { createSecureContext, type SecureContext } from 'node:tls';

export type ChallengeAnswer =
  | { readonly kind: 'http'; readonly id: string; readonly token: string; readonly body: string }
  | {
      readonly kind: 'tls';
      readonly id: string;
      readonly serverName: string;
      readonly certificatePem: string;
      readonly keyPem: string;
    };

export const CHALLENGE_PATH = '/.well-known/acme-challenge/';
export const CHALLENGE_PROTOCOL = 'acme-tls/1';

export class ChallengeBoard {
  readonly #tokens = new Map<string, { readonly id: string; readonly body: string }>();
  readonly #contexts = new Map<string, { readonly id: string; readonly context: SecureContext }>();

  /** False nearly always: the hot path asks this and nothing else. */
  hasTokens = false;

  show(answer: ChallengeAnswer): void {
    const { id } = answer;
    if (answer.kind === 'http') this.#tokens.set(answer.token, { id, body: answer.body });
    else {
      const context = createSecureContext({ cert: answer.certificatePem, key: answer.keyPem, minVersion: 'TLSv1.2' });
      this.#contexts.set(answer.serverName, { id, context });
    }
    this.hasTokens = this.#tokens.size > 0;
  }

  hide(id: string): void {
    for (const [token, one] of this.#tokens) if (one.id === id) this.#tokens.delete(token);
    for (const [name, one] of this.#contexts) if (one.id === id) this.#contexts.delete(name);
    this.hasTokens = this.#tokens.size > 0;
  }

  /** What a CA that asks for this path is to be told; null for every other path. */
  bodyFor(path: string): string | null {
    if (!path.startsWith(CHALLENGE_PATH)) return null;
    return this.#tokens.get(path.slice(CHALLENGE_PATH.length))?.body ?? null;
  }

  contextFor(serverName: string | null): SecureContext | null {
    return serverName === null ? null : (this.#contexts.get(serverName)?.context ?? null);
  }
}
