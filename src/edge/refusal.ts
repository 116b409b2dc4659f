/** A connection that was turned away before anybody read a request of it, as it is counted and told. */
import type { PeekRefusal } from './peek.ts';

export type RefusalReason =
  | PeekRefusal
  | 'no-certificate'
  | 'limit'
  | 'handshake-timeout'
  | 'handshake-overflow'
  | 'accept-failed';

/** One log line. `limit` and the two handshake reasons are counted only: a flood must not fill the log. */
export interface Refusal {
  readonly reason: RefusalReason;
  readonly detail: string;
  readonly peerAddress: string | null;
  readonly serverName: string | null;
}
