/**
 * Sizes as operators write them: "10MB" (ten million bytes), "512KiB" (times 1024), "100B", "0".
 * A bare number other than 0 is refused: nobody can see its unit.
 */
const UNITS: Readonly<Record<string, number>> = {
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
  TiB: 1024 ** 4,
};
const SIZE = /^(\d{1,15})(B|[KMGT]i?B)$/;
const BY_SIZE: readonly string[] = ['TiB', 'TB', 'GiB', 'GB', 'MiB', 'MB', 'KiB', 'KB', 'B'];

/** Bytes, or null where the text is no size. */
export function parseSize(text: string): number | null {
  if (text === '0') return 0;
  const match = SIZE.exec(text);
  if (match === null) return null;
  const bytes = Number(match[1]) * (UNITS[match[2] ?? ''] ?? Number.NaN);
  return Number.isSafeInteger(bytes) ? bytes : null;
}

/** The shortest text that parseSize reads back as the same number; "unlimited" for Infinity. */
export function formatSize(bytes: number): string {
  if (bytes === Number.POSITIVE_INFINITY) return 'unlimited';
  if (bytes === 0) return '0';
  const unit = BY_SIZE.find((name) => bytes % (UNITS[name] ?? 1) === 0) ?? 'B';
  return `${bytes / (UNITS[unit] ?? 1)}${unit}`;
}
