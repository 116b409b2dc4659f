/**
 * Reads `hsts:` (RFC 6797). By default browsers are told to come by HTTPS only where that cannot lock anybody
 * out: a public name, at the usual port, whose certificate is not one that only our own machines trust.
 */
import { isIP } from 'node:net';
import { parseDuration } from '../../core/durations.ts';
import { LOCAL_SUFFIXES } from '../../core/local-names.ts';
import type { Path } from '../document/path.ts';
import type { HostTls, Hsts } from '../document/tls.ts';
import type { HstsInput } from '../schema/tls.ts';
import type { UnitInput } from '../schema/shapes.ts';
import type { Context } from './context.ts';

const DAY_MS = 86_400_000;
const DEFAULT_DAYS = 180;
/** What the preload list of browsers asks for. */
const PRELOAD_DAYS = 365;
const MOST_DAYS = 3650;

export function readHsts(input: HstsInput | undefined, path: Path, context: Context): Hsts | 'automatic' | null {
  if (input === undefined || input === true || input === 'automatic') return 'automatic';
  if (input === false || input === 'off') return null;
  const hsts = {
    maxAgeMs: readMaxAge(input.max_age, [...path, 'max_age'], context),
    includeSubdomains: input.include_subdomains ?? false,
    preload: input.preload ?? false,
  };
  if (hsts.preload) checkPreload(hsts, path, context);
  return hsts;
}

/** Not a timer's duration: a year is usual. */
function readMaxAge(input: UnitInput | undefined, path: Path, context: Context): number {
  if (input === undefined) return DEFAULT_DAYS * DAY_MS;
  const value = parseDuration(String(input));
  if (value !== null && value <= MOST_DAYS * DAY_MS) return value;
  context.report(path, 'is not a duration of at most 10 years', 'write a duration such as "365d"');
  return DEFAULT_DAYS * DAY_MS;
}

function checkPreload(hsts: Hsts, path: Path, context: Context): void {
  if (!hsts.includeSubdomains || hsts.maxAgeMs < PRELOAD_DAYS * DAY_MS) {
    context.report(
      [...path, 'preload'],
      'needs "include_subdomains: true" and a "max_age" of 365d or more',
      'add them, or remove "preload"',
    );
    return;
  }
  context.warn(
    [...path, 'preload'],
    'lets anybody put the domain on a list that is built into browsers',
    'every name below it will need HTTPS, and leaving the list takes months: remove "preload" unless you are sure',
  );
}

/** What a host gets, `setting` being its own or the document's. */
export function hstsFor(
  setting: Hsts | 'automatic' | null,
  host: { readonly name: string; readonly tls: HostTls },
  publicHttpsPort: number,
): Hsts | null {
  if (setting !== 'automatic') return host.tls.kind === 'off' ? null : setting;
  const { name, tls } = host;
  // HSTS holds for every port of a name: at another port, something else may be served without TLS beside us.
  if (publicHttpsPort !== 443 || tls.kind === 'off' || tls.kind === 'local' || !isPublic(name)) return null;
  return { maxAgeMs: DEFAULT_DAYS * DAY_MS, includeSubdomains: false, preload: false };
}

function isPublic(name: string): boolean {
  if (name === '*' || name.startsWith('[') || isIP(name) !== 0 || !name.includes('.')) return false;
  return !LOCAL_SUFFIXES.some((suffix) => name.endsWith(`.${suffix}`));
}
