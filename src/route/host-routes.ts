/**
 * The routes of one host. The most specific path wins, then methods and header matchers in the order of
 * the document; a request that these do not fit goes on to the next broader path.
 * A guard closes the ways around a stricter route: letter case, ";params", double escapes, a trailing
 * slash, or a method that the stricter route does not list must not lead to a broader route with
 * another policy, unless what is evaded is public. Such requests find nothing.
 */
import type { HeaderBlock } from '../wire/header-block.ts';
import { PathIndex } from './path-index.ts';
import { foldPath } from '../wire/folded-path.ts';
import type { PathPattern } from './path-pattern.ts';
import type { CompiledRoute } from './table.ts';

interface Entry {
  readonly routes: CompiledRoute[];
  /** What stands at the same pattern when spellings are ignored. */
  readonly folded: FoldedEntry;
}

interface FoldedEntry {
  readonly routes: CompiledRoute[];
}

interface Asked {
  readonly method: string;
  readonly headers: HeaderBlock;
}

interface Found {
  readonly route: CompiledRoute;
  readonly entry: Entry;
}

/** Of a host whose first and only route takes everything, no index is built: most hosts are such. */
export class HostRoutes {
  #only: CompiledRoute | null = null;
  #paths: HostPaths | null = null;

  /** Adds a route; those added first come first among equals. */
  add(pattern: PathPattern, route: CompiledRoute): void {
    const isFirst = this.#only === null && this.#paths === null;
    if (isFirst && pattern.kind === 'prefix' && pattern.key === '' && isUnconditional(route)) {
      this.#only = route;
      return;
    }
    this.#paths ??= new HostPaths();
    if (this.#only !== null) this.#paths.add(CATCH_ALL, this.#only);
    this.#only = null;
    this.#paths.add(pattern, route);
  }

  find(path: string, method: string, headers: HeaderBlock): CompiledRoute | null {
    if (this.#only !== null) return path === '*' ? null : this.#only;
    return this.#paths === null ? null : this.#paths.find(path, method, headers);
  }
}

const CATCH_ALL: PathPattern = { text: '/*', kind: 'prefix', key: '' };

class HostPaths {
  readonly #index = new PathIndex<Entry>();
  readonly #folded = new PathIndex<FoldedEntry>();
  readonly #policies = new Set<string>();
  #hasProtected = false;

  add(pattern: PathPattern, route: CompiledRoute): void {
    let entry = this.#index.get(pattern.kind, pattern.key);
    if (entry === undefined) {
      entry = { routes: [], folded: this.#foldedEntry(pattern) };
      this.#index.set(pattern.kind, pattern.key, entry);
    }
    entry.routes.push(route);
    entry.folded.routes.push(route);
    this.#policies.add(route.policy.id);
    this.#hasProtected ||= !route.policy.isPublic;
  }

  find(path: string, method: string, headers: HeaderBlock): CompiledRoute | null {
    const found = this.#index.find(path, firstFitting, { method, headers });
    if (found === undefined) return null;
    return this.#isGuarded && this.#isEvading(path, found) ? null : found.route;
  }

  /** With one policy, or none that protects, there is nothing to evade. */
  get #isGuarded(): boolean {
    return this.#hasProtected && this.#policies.size > 1;
  }

  #foldedEntry(pattern: PathPattern): FoldedEntry {
    const folded = foldPath(pattern.key) ?? pattern.key;
    const key = pattern.kind === 'prefix' && folded === '/' ? '' : folded;
    const known = this.#folded.get(pattern.kind, key);
    if (known !== undefined) return known;
    const entry: FoldedEntry = { routes: [] };
    this.#folded.set(pattern.kind, key, entry);
    return entry;
  }

  #isEvading(path: string, found: Found): boolean {
    if (found.route.policy.isPublic && path.includes(';')) return true;
    const folded = foldPath(path);
    if (folded === null) return true;
    return this.#folded.find(folded, judgeStricter, found) ?? false;
  }
}

/** Goes from the most specific entry to the one found: true at the first that protects in another way. */
function judgeStricter(folded: FoldedEntry, found: Found): boolean | undefined {
  if (folded === found.entry.folded) return false;
  const own = found.route.policy.id;
  return folded.routes.some(({ policy }) => !policy.isPublic && policy.id !== own) ? true : undefined;
}

function firstFitting(entry: Entry, asked: Asked): Found | undefined {
  for (const route of entry.routes) if (isFitting(route, asked)) return { route, entry };
  return undefined;
}

function isUnconditional(route: CompiledRoute): boolean {
  return route.config.methods.length === 0 && Object.keys(route.config.matchHeaders).length === 0;
}

function isFitting({ config }: CompiledRoute, { method, headers }: Asked): boolean {
  const { methods, matchHeaders } = config;
  if (methods.length > 0 && !methods.includes(method)) {
    // HEAD is GET without the body (RFC 9110 section 9.3.2).
    if (method !== 'HEAD' || !methods.includes('GET')) return false;
  }
  for (const key in matchHeaders) {
    const wanted = matchHeaders[key] as string | null;
    if (wanted === null ? !headers.has(key) : headers.get(key) !== wanted) return false;
    // Of duplicates the app may read another than we: such a field has no value to match.
    if (wanted !== null && headers.count(key) !== 1) return false;
  }
  return true;
}
