/**
 * What an edge worker asks of the control thread, and what it is told by it. Messages are plain data;
 * `core/channel.ts` carries them.
 */
import type { SessionAnswer, SessionView } from '../gate/ports.ts';
import type { RefusedEntry } from '../sign-in/ports.ts';

/** A request to one of Postern's own pages (`/.postern/*`), carried whole to the control thread. */
export interface InternalRequest {
  readonly method: string;
  /** Absolute URL as the visitor typed it: scheme, host, public port, path, query. */
  readonly url: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** At most 64 KiB. */
  readonly body: Uint8Array | null;
  /** Canonical client address, null where unknown. */
  readonly ip: string | null;
  readonly requestId: string;
  /** The session that the gate found on this host, already validated; null without one. */
  readonly session: SessionView | null;
  /** True where the path lives on the sign-in host. */
  readonly onSignInHost: boolean;
}

export interface InternalResponse {
  readonly status: number;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Uint8Array;
  /** The page says that the rules of another host refuse: what its line in the log is about. */
  readonly refused?: RefusedEntry;
}

/** Requests from a worker; each is answered once. */
export interface ControlPort {
  findSession(key: string): Promise<SessionAnswer>;
  verifyPassword(service: string, password: string, peer: string): Promise<'ok' | 'wrong' | 'busy'>;
  handleInternal(request: InternalRequest): Promise<InternalResponse>;
  /** Answers a navigation that has to sign in: a redirect to the sign-in host, with the tab's nonce. */
  beginSignIn(request: InternalRequest): Promise<InternalResponse>;
  /** Sessions used since the last report: key -> when. Sent about every 5 s. */
  touchSessions(seen: readonly (readonly [key: string, at: number])[]): void;
}
