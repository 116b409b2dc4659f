/**
 * Compiles strip_prefix and rewrite into one function from the routed path to the path for the app.
 * A result that is not canonical answers null: the rules were decided on another path than it would be
 * read as, so the request is refused instead.
 */
import { canonicalLiteral, isCanonicalPath } from './path-pattern.ts';

export type TargetPath = (path: string) => string | null;

export type TargetPathResult =
  | { readonly kind: 'function'; readonly targetPath: TargetPath }
  | { readonly kind: 'refused'; readonly field: 'strip_prefix' | 'rewrite'; readonly reason: string };

export interface PathEdits {
  readonly stripPrefix: string | null;
  /** New path with {path}, or null. */
  readonly rewrite: string | null;
  /** Key of the route's pattern: what every path of it begins with. */
  readonly routePrefix: string;
}

export function compileTargetPath(edits: PathEdits): TargetPathResult {
  const strip = edits.stripPrefix === null ? null : stripper(edits.stripPrefix, edits.routePrefix);
  if (typeof strip === 'string') return { kind: 'refused', field: 'strip_prefix', reason: strip };
  const rewrite = edits.rewrite === null ? null : rewriter(edits.rewrite);
  if (typeof rewrite === 'string') return { kind: 'refused', field: 'rewrite', reason: rewrite };
  if (strip === null && rewrite === null) return { kind: 'function', targetPath: (path) => path };
  const targetPath: TargetPath = (path) => {
    const stripped = strip === null ? path : strip(path);
    const target = stripped === null || rewrite === null ? stripped : rewrite(stripped);
    return target !== null && isCanonicalPath(target) ? target : null;
  };
  return { kind: 'function', targetPath };
}

function stripper(text: string, routePrefix: string): TargetPath | string {
  const literal = text.endsWith('/') ? text.slice(0, -1) : text;
  const prefix = text.startsWith('/') && literal !== '' ? canonicalLiteral(literal) : null;
  if (prefix === null) return 'it is not a path such as "/app"';
  if (routePrefix !== prefix && !routePrefix.startsWith(`${prefix}/`))
    return `paths of this route do not begin with "${prefix}"`;
  return (path) => {
    if (path === prefix) return '/';
    return path.startsWith(`${prefix}/`) ? path.slice(prefix.length) : null;
  };
}

function rewriter(text: string): TargetPath | string {
  const literals = text.split('{path}');
  if (literals.some((literal) => /[{}?#*]/.test(literal))) return 'only {path} may stand in it, and no "?", "#" or "*"';
  const example = literals.join('/x');
  if (!isCanonicalPath(example)) return `it would give paths such as "${example}"; {path} begins with "/" itself`;
  return literals.length === 1 ? () => text : (path) => literals.join(path);
}
