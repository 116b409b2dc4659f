/** Bounds of size, number and time, of the whole gateway and of a route. */
export interface GlobalLimits {
  readonly headerBytes: number;
  readonly headerCount: number;
  readonly targetBytes: number;
  readonly headTimeoutMs: number;
  readonly keepAliveMs: number;
  readonly connectionsPerAddress: number;
  /** The same for 127.0.0.0/8 and ::1: Infinity unless the document sets a number. */
  readonly connectionsPerLoopback: number;
  readonly connections: number;
  readonly http2Streams: number;
  readonly tlsHandshakeMs: number;
  readonly drainMs: number;
}

/** Limits that a route may set for itself. Milliseconds and bytes; Infinity: unlimited. */
export interface RouteLimits {
  readonly maxBodyBytes: number;
  /** Longest silence of the client while it sends a body. */
  readonly bodyIdleMs: number;
  /** Slowest sending that is borne, bytes a second over any 10 s of a body. */
  readonly minBodyRate: number;
  /** Longest that a client may take no byte of an answer. */
  readonly writeIdleMs: number;
  readonly connectMs: number;
  readonly firstByteMs: number;
  /** Longest silence of the app in the middle of an answer. */
  readonly upstreamIdleMs: number;
  /** The same for event streams (SSE) and gRPC: Infinity unless the document sets upstream_idle_timeout. */
  readonly streamIdleMs: number;
  /** Longest silence of both ends of a tunnel; Infinity: it lives as long as both want. */
  readonly tunnelIdleMs: number;
}
