/**
 * Finds what stands at the patterns that match a path, most specific first: the exact path, then
 * prefixes from the longest. One hash look-up a segment, at most as many as the deepest pattern has,
 * however long the path and however many patterns there are.
 */
import type { PathPattern } from './path-pattern.ts';

const SLASH = 47;

export class PathIndex<T> {
  readonly #exact = new Map<string, T>();
  readonly #prefixes = new Map<string, T>();
  #deepest = 0;

  get(kind: PathPattern['kind'], key: string): T | undefined {
    return (kind === 'exact' ? this.#exact : this.#prefixes).get(key);
  }

  set(kind: PathPattern['kind'], key: string, value: T): void {
    if (kind === 'exact') {
      this.#exact.set(key, value);
      return;
    }
    this.#prefixes.set(key, value);
    this.#deepest = Math.max(this.#deepest, segmentsOf(key));
  }

  /** Visits the matches, most specific first, until one visit gives something. */
  find<A, R>(path: string, visit: (value: T, argument: A) => R | undefined, argument: A): R | undefined {
    if (path.charCodeAt(0) !== SLASH) return undefined;
    if (this.#exact.size > 0) {
      const exact = this.#exact.get(path);
      const found = exact === undefined ? undefined : visit(exact, argument);
      if (found !== undefined) return found;
    }
    let end = this.#endOfDeepest(path);
    for (;;) {
      const value = this.#prefixes.get(end === path.length ? path : path.slice(0, end));
      const found = value === undefined ? undefined : visit(value, argument);
      if (found !== undefined) return found;
      if (end <= 0) return undefined;
      end = path.lastIndexOf('/', end - 1);
    }
  }

  /** Where the longest prefix ends that any pattern could have. */
  #endOfDeepest(path: string): number {
    let end = 0;
    for (let depth = 0; depth < this.#deepest; depth++) {
      const next = path.indexOf('/', end + 1);
      if (next === -1) return path.length;
      end = next;
    }
    return end;
  }
}

function segmentsOf(key: string): number {
  let count = 0;
  for (let i = 0; i < key.length; i++) if (key.charCodeAt(i) === SLASH) count++;
  return count;
}
