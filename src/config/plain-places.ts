/**
 * Where things stand in a text that the fast reader takes, without the full parser, whose tree of 10 000 hosts
 * costs seconds. Answers as `findOffset` of yaml-tree.ts does; null where it does not surely know.
 */
import type { Path } from './document/path.ts';
import { readPlainYaml } from './plain-yaml.ts';

interface Entry {
  readonly keyAt: number | null;
  readonly valueAt: number | null;
  readonly isBlock: boolean;
}

export type FindPlainOffset = (path: Path, isAtKey: boolean) => number | null;

/** Null where the text is not plain enough. */
export function placesOfPlainYaml(text: string): FindPlainOffset | null {
  const entries = new Map<object, Map<string | number, Entry>>();
  const root = readPlainYaml(text, {
    add(parent, step, place) {
      const known = entries.get(parent);
      if (known === undefined) entries.set(parent, new Map([[step, place]]));
      else known.set(step, place);
    },
  });
  if (typeof root !== 'object' || root === null) return null;
  const [first] = entries.get(root)?.values() ?? [];
  const start = first?.keyAt ?? null;
  return (path, isAtKey) => {
    let offset = start;
    let node: unknown = root;
    for (const [index, step] of path.entries()) {
      if (typeof node !== 'object' || node === null) return offset;
      const key = Array.isArray(node) ? step : String(step);
      const entry = entries.get(node)?.get(key);
      if (entry === undefined) return offset;
      const isLast = index === path.length - 1;
      const useKey = entry.keyAt !== null && (entry.isBlock || (isLast && isAtKey));
      offset = useKey ? entry.keyAt : entry.valueAt;
      node = (node as Record<string | number, unknown>)[key];
    }
    return offset;
  };
}
