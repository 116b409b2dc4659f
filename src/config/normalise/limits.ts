/** Reads `limits:`, and what hosts and paths set for themselves. Holds the defaults. */
import { LONGEST_TIMER_MS, parseDuration } from '../../core/durations.ts';
import { parseSize } from '../../core/sizes.ts';
import type { GlobalLimits, RouteLimits } from '../document/limits.ts';
import type { Path } from '../document/path.ts';
import { fault, read, type Reading } from '../reading.ts';
import type { GlobalLimitsInput, RouteLimitsInput } from '../schema/limits.ts';
import type { UnitInput } from '../schema/shapes.ts';
import type { Context } from './context.ts';

export const DEFAULT_GLOBAL_LIMITS: GlobalLimits = {
  headerBytes: 32_768,
  headerCount: 100,
  targetBytes: 16_384,
  headTimeoutMs: 10_000,
  keepAliveMs: 75_000,
  connectionsPerAddress: 1024,
  connectionsPerLoopback: Number.POSITIVE_INFINITY,
  connections: 32_768,
  http2Streams: 128,
  tlsHandshakeMs: 10_000,
  drainMs: 30_000,
};

export const DEFAULT_ROUTE_LIMITS: RouteLimits = {
  maxBodyBytes: 10_000_000,
  bodyIdleMs: 30_000,
  minBodyRate: 500,
  writeIdleMs: 60_000,
  connectMs: 5000,
  firstByteMs: 60_000,
  upstreamIdleMs: 300_000,
  streamIdleMs: Number.POSITIVE_INFINITY,
  tunnelIdleMs: Number.POSITIVE_INFINITY,
};

/** gRPC calls may stay silent in either direction for as long as both ends like. */
export const H2C_ROUTE_LIMITS: Partial<RouteLimits> = {
  bodyIdleMs: Number.POSITIVE_INFINITY,
  minBodyRate: 0,
  firstByteMs: Number.POSITIVE_INFINITY,
  upstreamIdleMs: Number.POSITIVE_INFINITY,
};

type Unit = 'duration' | 'size';
interface Field {
  readonly key: keyof RouteLimitsInput;
  readonly name: keyof RouteLimits;
  readonly unit: Unit;
  /** Zero would refuse every request. */
  readonly least: number;
}

const ROUTE_FIELDS: readonly Field[] = [
  { key: 'max_body', name: 'maxBodyBytes', unit: 'size', least: 0 },
  { key: 'body_timeout', name: 'bodyIdleMs', unit: 'duration', least: 1 },
  { key: 'min_body_rate', name: 'minBodyRate', unit: 'size', least: 0 },
  { key: 'write_timeout', name: 'writeIdleMs', unit: 'duration', least: 1 },
  { key: 'connect_timeout', name: 'connectMs', unit: 'duration', least: 1 },
  { key: 'first_byte_timeout', name: 'firstByteMs', unit: 'duration', least: 1 },
  { key: 'upstream_idle_timeout', name: 'upstreamIdleMs', unit: 'duration', least: 1 },
  { key: 'tunnel_idle_timeout', name: 'tunnelIdleMs', unit: 'duration', least: 1 },
];

/** What a host or path sets, beside its other keys or under `limits:`. Undefined where it sets nothing. */
export function readRouteLimits(
  input: RouteLimitsInput & { readonly limits?: RouteLimitsInput | undefined },
  path: Path,
  context: Context,
): Partial<RouteLimits> {
  const found: { -readonly [K in keyof RouteLimits]?: number } = {};
  for (const { key, name, unit, least } of ROUTE_FIELDS) {
    const own = input[key];
    const listed = input.limits?.[key];
    if (own === undefined && listed === undefined) continue;
    if (own !== undefined && listed !== undefined) {
      context.report([...path, 'limits', key], 'is set twice', `remove it here or beside "limits:"`);
    }
    const at = own === undefined ? [...path, 'limits', key] : [...path, key];
    const value = readUnit((own ?? listed) as UnitInput, { unit, least, at }, context);
    if (value === null) continue;
    found[name] = value;
    if (name === 'upstreamIdleMs') found.streamIdleMs = value;
  }
  return found;
}

export function readGlobalLimits(input: GlobalLimitsInput, context: Context): GlobalLimits {
  const at = (key: string): Path => ['limits', key];
  const durationOf = (key: keyof GlobalLimitsInput, fallback: number, least = 1): number => {
    const value = input[key];
    return value === undefined
      ? fallback
      : (readUnit(value, { unit: 'duration', least, at: at(key) }, context) ?? fallback);
  };
  const sizeOf = (key: keyof GlobalLimitsInput, fallback: number): number => {
    const value = input[key];
    return value === undefined
      ? fallback
      : (readUnit(value, { unit: 'size', least: 1024, at: at(key) }, context) ?? fallback);
  };
  const base = DEFAULT_GLOBAL_LIMITS;
  const perAddress = countOf(input.connections_per_address, null);
  return {
    headerBytes: sizeOf('header_bytes', base.headerBytes),
    headerCount: input.header_count ?? base.headerCount,
    targetBytes: sizeOf('target_bytes', base.targetBytes),
    headTimeoutMs: durationOf('head_timeout', base.headTimeoutMs),
    keepAliveMs: durationOf('keep_alive', base.keepAliveMs, 0),
    connectionsPerAddress: perAddress ?? base.connectionsPerAddress,
    connectionsPerLoopback: perAddress ?? base.connectionsPerLoopback,
    connections: countOf(input.connections, base.connections) as number,
    http2Streams: input.http2_streams ?? base.http2Streams,
    tlsHandshakeMs: durationOf('handshake_timeout', base.tlsHandshakeMs),
    drainMs: durationOf('drain', base.drainMs, 0),
  };
}

export function countOf(value: number | 'unlimited' | undefined, fallback: number | null): number | null {
  if (value === undefined) return fallback;
  return value === 'unlimited' ? Number.POSITIVE_INFINITY : value;
}

interface UnitRules {
  readonly unit: Unit;
  readonly least: number;
  readonly at: Path;
}

/** A duration or size; null, and reported, where the text is none. */
export function readUnit(input: UnitInput, { unit, least, at }: UnitRules, context: Context): number | null {
  const reading = parseUnit(input, unit, least);
  if (reading.ok) return reading.value;
  context.fault(at, reading);
  return null;
}

function parseUnit(input: UnitInput, unit: Unit, least: number): Reading<number> {
  if (input === 'unlimited') return read(Number.POSITIVE_INFINITY);
  const text = String(input);
  const value = unit === 'duration' ? parseDuration(text) : parseSize(text);
  if (value === null) return unitFault(text, unit);
  if (value < least) {
    const wanted = least === 1 ? 'more than 0' : `at least ${shortest(least, unit)}`;
    return fault(`is too small, expected ${wanted}`, least === 1 ? 'write "unlimited" for no limit' : null);
  }
  if (unit === 'duration' && value > LONGEST_TIMER_MS) {
    return fault('is longer than 24 days', 'write "unlimited" for no limit');
  }
  return read(value);
}

/** As one would write it. */
function shortest(least: number, unit: Unit): string {
  const large = unit === 'duration' ? 1_000 : 1_024;
  const [small, great] = unit === 'duration' ? ['ms', 's'] : ['B', 'KiB'];
  return least % large === 0 ? `${least / large}${great}` : `${least}${small}`;
}

function unitFault(text: string, unit: Unit): Reading<number> {
  if (unit === 'duration') {
    const isBare = /^\d+$/.test(text);
    return fault(
      isBare ? 'has no unit' : 'is not a duration',
      isBare ? `write "${text}s" for seconds` : 'write a duration such as "30s", "1h30m" or "unlimited"',
    );
  }
  const digits = /^(\d+)\s*([kmg]?)(?:b|ib)?$/i.exec(text);
  if (digits === null) return fault('is not a size', 'write a size such as "10MB", "512KiB" or "unlimited"');
  const letter = (digits[2] ?? '').toUpperCase();
  return fault('is not a size', `write "${digits[1] ?? ''}${letter === '' ? 'M' : letter}B"`);
}
