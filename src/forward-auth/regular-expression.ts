/**
 * Regular expressions of operators, in RE2's language as the original reads it: linear in time, so that no
 * path of a stranger can hold up the process.
 */
import { RE2JS } from 're2js';

export interface CompiledRegExp {
  readonly source: string;
  /** Unanchored, as Go's MatchString. */
  readonly matches: (text: string) => boolean;
  /** Go's ReplaceAllString: `$1`, `${name}`. */
  readonly replaceAll: (text: string, replacement: string) => string;
}

/** Throws RE2JSSyntaxException with the reason. */
export function compileRegExp(source: string): CompiledRegExp {
  const compiled = RE2JS.compile(source);
  return {
    source,
    matches: (text) => compiled.matcher(text).find(),
    replaceAll: (text, replacement) => compiled.matcher(text).replaceAll(replacement),
  };
}
