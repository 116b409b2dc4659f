/**
 * One request on its way through forward-auth: what the front proxy says of it, read only when somebody
 * asks, and what was found out, for the log. A check that a session answers never looks at most of it.
 */
import { printAuthority } from '../../wire/authority.ts';
import { FRONT_SAYS_NOTHING, readFront } from './front-says.ts';
import type { ForwardReport } from '../../upstream/plan.ts';
import type { Exchange } from '../../wire/exchange.ts';
import type { AuthSession } from '../auth-session.ts';
import type { FrontRequest } from '../front-request.ts';
import type { FrontSays } from './front-says.ts';
import type { FrontTrust, Peer } from './front-trust.ts';
import type { Credential } from './session-chain.ts';

export class ServedRequest implements FrontRequest {
  readonly exchange: Exchange;
  readonly id: string;
  readonly isForwarded: boolean;
  readonly #trust: FrontTrust;
  readonly #peer: Peer;
  #says: FrontSays | null = null;
  #clientIp: string | null | undefined = undefined;
  /** Who it is, once known. */
  session: AuthSession | null = null;
  /** What was decided, for log and metrics: one word. */
  decision: string | null = null;
  /** Which skip rule let it pass. */
  skipReason: string | null = null;
  /** What the request rides on, where it does. */
  credential: Credential = 'session';
  upstream: string | null = null;
  report: ForwardReport | null = null;
  /** Why it was closed before its end. */
  closedFor: string | null = null;
  error: unknown = null;
  isOver = false;
  /** Its own method is that of what it asks about, GET as well. */
  carriesMethod = false;
  /** In the roster of requests under way. */
  seat = -1;

  // oxlint-disable-next-line max-params -- one allocation a request
  constructor(exchange: Exchange, id: string, trust: FrontTrust, peer: Peer) {
    this.exchange = exchange;
    this.id = id;
    this.#trust = trust;
    this.#peer = peer;
    this.isForwarded = peer.isTrusted;
  }

  get front(): FrontSays {
    return (this.#says ??= this.isForwarded ? readFront(this.exchange.request.headers) : FRONT_SAYS_NOTHING);
  }

  /** The front names the path by that of the question itself (Envoy's path prefix). Counts as one more word of it. */
  isAbout(uri: string): void {
    if (!this.isForwarded) return;
    this.carriesMethod = true;
    this.#says = readFront(this.exchange.request.headers, uri);
  }

  get scheme(): 'http' | 'https' {
    return this.front.scheme ?? this.exchange.connection.scheme;
  }

  get saidScheme(): 'http' | 'https' | null {
    return this.front.scheme;
  }

  get authority(): string {
    const { host, port } = this.exchange.request;
    return this.front.authority ?? printAuthority(host, port);
  }

  get dotless(): string | null {
    return this.front.dotless;
  }

  get uri(): string {
    return this.front.uri ?? this.ownUri;
  }

  get ownUri(): string {
    return this.exchange.request.target;
  }

  get clientIp(): string | null {
    if (this.#clientIp === undefined)
      this.#clientIp = this.#trust.clientIpOf(this.#peer, this.exchange.request.headers);
    return this.#clientIp;
  }

  /** As the visitor's browser names it, without port: it chooses the domain of cookies. */
  get visitorHost(): string {
    return this.authority.replace(/:\d+$/, '');
  }
}
