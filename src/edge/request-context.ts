/**
 * One request on its way through the house: what was found out so far, for the next step and for the
 * log. Filled in step by step; a field that a step did not reach stays at its first value.
 */
import { printAuthority } from '../wire/authority.ts';
import type { ErrorCode } from '../core/errors.ts';
import type { Decision } from '../policy/facts.ts';
import type { Judged } from '../gate/gate.ts';
import type { CompiledHost, CompiledRoute } from '../route/table.ts';
import type { ForwardReport } from '../upstream/plan.ts';
import type { Tunnel } from '../wire/tunnel.ts';
import type { ClientFacts } from '../wire/client-address.ts';
import type { Exchange } from '../wire/exchange.ts';
import type { RefusedEntry } from '../sign-in/ports.ts';
import type { Site } from './site.ts';

/** What kind of listener a request came by. */
export interface ListenerTraits {
  /** False on a listener with `tls: off`: another TLS terminator is in front, and what it says counts. */
  readonly redirectsToHttps: boolean;
  /** A unix socket: its peers have no address, and whoever may open it was let in by the file system. */
  readonly isLocalSocket: boolean;
}

export class RequestContext {
  readonly exchange: Exchange;
  readonly site: Site;
  readonly id: string;
  readonly listener: ListenerTraits;
  /** Null: unknown. */
  readonly ip: string | null;
  /** What the visitor's browser speaks, as far as a trusted proxy or this connection knows. */
  readonly scheme: 'http' | 'https';
  readonly fromTrustedProxy: boolean;
  host: CompiledHost | null = null;
  route: CompiledRoute | null = null;
  judged: Judged | null = null;
  /** What the rules on trial would have decided, where that is something else. */
  shadow: Decision | null = null;
  /** While they are still being judged. Never rejects. */
  trial: Promise<void> | null = null;
  /** On the sign-in host: where the rules do not let the visitor go. */
  refused: RefusedEntry | null = null;
  /** Where the visitor was led to, on a route where that depends on who comes; see place.ts. */
  place: string | null = null;
  report: (ForwardReport & { readonly tunnel: Pick<Tunnel, 'bytesToApp' | 'bytesToClient'> | null }) | null = null;
  errorCode: ErrorCode | null = null;
  error: Error | null = null;
  /** What the log calls the decision where no rule was asked. */
  outcome: string | null = null;
  isOver = false;
  /** In the roster of requests under way. */
  seat = -1;

  // oxlint-disable-next-line max-params -- one allocation on the hot path
  constructor(exchange: Exchange, site: Site, id: string, listener: ListenerTraits, from: ClientFacts) {
    this.exchange = exchange;
    this.site = site;
    this.id = id;
    this.listener = listener;
    this.ip = from.ip;
    this.scheme = from.scheme;
    this.fromTrustedProxy = from.isProxied;
  }

  /** Host and port as the visitor typed them. */
  get authority(): string {
    const { host, port } = this.exchange.request;
    return printAuthority(host, port);
  }

  /** The port that the visitor typed, or the scheme's own. */
  get publicPort(): number {
    return this.exchange.request.port ?? (this.scheme === 'https' ? 443 : 80);
  }

  /** Of the host as visitors type it, whatever port the request names. */
  get origin(): string {
    const { host } = this.exchange.request;
    return this.scheme === 'https' ? `https://${host}${this.site.httpsPortSuffix}` : `http://${host}`;
  }

  /**
   * For Postern's own pages, which send people back to it, codes of a hand-off included: never with a port that is not
   * ours. Whoever asks by hand names any, and what listens on another port of this host may be a stranger's.
   */
  get url(): string {
    const { host, path, query } = this.exchange.request;
    const { ownPorts, httpPortSuffix } = this.site;
    if (ownPorts[this.scheme].has(this.publicPort)) return `${this.scheme}://${this.authority}${path}${query}`;
    const origin = this.scheme === 'https' ? this.origin : `http://${host}${httpPortSuffix}`;
    return `${origin}${path}${query}`;
  }
}
