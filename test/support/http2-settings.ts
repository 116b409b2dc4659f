/** What tests of the HTTP/2 codec serve by. */
import type { Http2Settings } from '../../src/wire/http2/settings.ts';

/** Small bounds, so that a test reaches them. */
export const SMALL_LIMITS: Omit<Http2Settings, 'ticker' | 'onClose' | 'onRefused' | 'onDefect'> = {
  headerBytes: 8_192,
  headerCount: 50,
  targetBytes: 2_048,
  maxBodyBytes: -1,
  bodyIdleMs: 30_000,
  minBodyRate: 0,
  headTimeoutMs: 15_000,
  keepAliveMs: 75_000,
  writeIdleMs: 60_000,
  http2Streams: 64,
};
