/** Shape of `limits:`: those of the process, and those that a host or path may set for itself. */
import type * as z from 'zod';
import { duration, either, key, section, type ShapeOf, size, type UnitInput, whole, word } from './shapes.ts';

export interface RouteLimitsInput {
  readonly max_body?: UnitInput | undefined;
  readonly body_timeout?: UnitInput | undefined;
  readonly min_body_rate?: UnitInput | undefined;
  readonly write_timeout?: UnitInput | undefined;
  readonly connect_timeout?: UnitInput | undefined;
  readonly first_byte_timeout?: UnitInput | undefined;
  readonly upstream_idle_timeout?: UnitInput | undefined;
  readonly tunnel_idle_timeout?: UnitInput | undefined;
}

export interface GlobalLimitsInput extends RouteLimitsInput {
  readonly header_bytes?: UnitInput | undefined;
  readonly header_count?: number | undefined;
  readonly target_bytes?: UnitInput | undefined;
  readonly head_timeout?: UnitInput | undefined;
  readonly keep_alive?: UnitInput | undefined;
  readonly connections_per_address?: number | 'unlimited' | undefined;
  readonly connections?: number | 'unlimited' | undefined;
  readonly http2_streams?: number | undefined;
  readonly handshake_timeout?: UnitInput | undefined;
  readonly drain?: UnitInput | undefined;
}

export function count(): z.ZodType<number | 'unlimited'> {
  return either(whole(1, 10_000_000), word('unlimited'), 'a whole number from 1 to 10000000, or "unlimited"');
}

export const routeLimitKeys: ShapeOf<RouteLimitsInput> = {
  max_body: key(size(), 'Largest request body; a larger one gets 413. `unlimited` streams any length.', {
    default: '10MB',
    examples: ['100MB', 'unlimited'],
  }),
  body_timeout: key(duration(), 'Longest silence of the visitor while sending a body.', { default: '30s' }),
  min_body_rate: key(
    size(),
    'Slowest sending of a body that is borne, in bytes a second over any time as long as `body_timeout`. `0` bears any.',
    { default: '500B' },
  ),
  write_timeout: key(duration(), 'Longest time in which a visitor may take no byte of an answer.', { default: '1m' }),
  connect_timeout: key(duration(), 'Longest wait for a connection to the app.', { default: '5s' }),
  first_byte_timeout: key(
    duration(),
    "Longest wait for the first byte of the app's answer, counted anew from each informational one (102, 103); then 504.",
    {
      default: '1m',
    },
  ),
  upstream_idle_timeout: key(
    duration(),
    'Longest silence of the app in the middle of an answer. Event streams and gRPC are exempt unless it is set.',
    { default: '5m' },
  ),
  tunnel_idle_timeout: key(
    duration(),
    'Longest silence of both ends of a WebSocket or other tunnel. `unlimited`: it lives as long as both want.',
    { default: 'unlimited' },
  ),
};

export const routeLimitsShape: z.ZodType<RouteLimitsInput> = section({ ...routeLimitKeys }, 'a map of limits');

export const globalLimitsShape: z.ZodType<GlobalLimitsInput> = section(
  {
    header_bytes: key(size(), 'Largest request head; a larger one gets 431.', { default: '32KiB' }),
    header_count: key(whole(1, 10_000), 'Most header fields of a request; more get 431.', { default: 100 }),
    target_bytes: key(size(), 'Longest request target; a longer one gets 414.', { default: '16KiB' }),
    head_timeout: key(duration(), 'Longest time for a whole request head.', { default: '10s' }),
    keep_alive: key(duration(), 'How long an idle connection is kept. `0` closes after each answer.', {
      default: '1m15s',
    }),
    connections_per_address: key(
      count(),
      'Most open connections of one client address. Without it: 1024, and loopback is exempt.',
      { examples: [256, 'unlimited'] },
    ),
    connections: key(count(), 'Most open connections in all.', { default: 32_768 }),
    http2_streams: key(whole(1, 10_000), 'Most concurrent requests of one HTTP/2 connection.', { default: 128 }),
    handshake_timeout: key(duration(), 'Longest TLS handshake, PROXY header included.', { default: '10s' }),
    drain: key(
      duration(),
      'How long open requests may go on after SIGTERM. WebSockets and other tunnels have no end of their own: they end after one to five seconds of it, not all at once, WebSockets by a close frame (1001). So do event streams that are older than 30 s.',
      { default: '30s' },
    ),
    ...routeLimitKeys,
  },
  'a map of limits',
);
