/**
 * Sizes as operators write them: "10MB" (ten million bytes), "512KiB" (times 1024), "100B"; a bare number
 * is bytes. Units in any letter case.
 */
const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 1024,
  mib: 1024 ** 2,
  gib: 1024 ** 3,
  tib: 1024 ** 4,
};
const SIZE = /^(\d{1,15})(b|[kmgt]i?b)?$/;
const BY_SIZE: readonly string[] = ['TiB', 'TB', 'GiB', 'GB', 'MiB', 'MB', 'KiB', 'KB', 'B'];

/** Bytes, or null where the text is no size. */
export function parseSize(text: string): number | null {
  const match = SIZE.exec(text.toLowerCase());
  if (match === null) return null;
  const bytes = Number(match[1]) * (UNITS[match[2] ?? ''] ?? Number.NaN);
  return Number.isSafeInteger(bytes) ? bytes : null;
}

/** The shortest text that parseSize reads back as the same number; "unlimited" for Infinity. */
export function formatSize(bytes: number): string {
  if (bytes === Number.POSITIVE_INFINITY) return 'unlimited';
  if (bytes === 0) return '0';
  const unit = BY_SIZE.find((name) => bytes % (UNITS[name.toLowerCase()] ?? 1) === 0) ?? 'B';
  return `${bytes / (UNITS[unit.toLowerCase()] ?? 1)}${unit}`;
}
