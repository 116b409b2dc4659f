/** Looking into, and pruning, plain data by path. */
import type { Path } from './document/path.ts';
import type { Plain } from './yaml-tree.ts';

export function valueAt(root: Plain, path: Path): Plain {
  let value = root;
  for (const step of path) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = Object.hasOwn(value, step) ? (value as Record<string | number, Plain>)[step] : undefined;
  }
  return value;
}

/** Replaces what is there. Lists keep their length, so that the places of the others stay true. */
export function putAt(root: Plain, path: Path, value: Plain): void {
  const parent = valueAt(root, path.slice(0, -1));
  const last = path.at(-1);
  if (typeof parent !== 'object' || parent === null || last === undefined) return;
  (parent as Record<string | number, Plain>)[last] = value;
}

/** Removes a key that is not known. */
export function dropAt(root: Plain, path: Path): void {
  const parent = valueAt(root, path.slice(0, -1));
  const last = path.at(-1);
  if (typeof parent === 'object' && parent !== null && !Array.isArray(parent) && last !== undefined) {
    delete parent[last];
  }
}

export function pathKey(path: Path): string {
  return JSON.stringify(path);
}

/** A scalar in quotes, shortened; null for a list or map, and for nothing. */
export function quoteScalar(value: Plain): string | null {
  if (value === null || value === undefined || typeof value === 'object') return null;
  const text = String(value);
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}
