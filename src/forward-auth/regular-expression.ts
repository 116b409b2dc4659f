/**
 * Regular expressions of operators, in RE2's language as the original reads it: linear in time, so that no
 * path of a stranger can hold up the process.
 */
import { RE2JS } from 're2js';

export interface CompiledRegExp {
  readonly source: string;
  /** Unanchored, as Go's MatchString. */
  readonly matches: (text: string) => boolean;
  /** Go's ReplaceAllString: `$0`, `$1`, `$name`, `${name}`, `$$`. */
  readonly replaceAll: (text: string, template: string) => string;
}

/** Throws RE2JSSyntaxException with the reason. */
export function compileRegExp(source: string): CompiledRegExp {
  const compiled = RE2JS.compile(source);
  return {
    source,
    matches: (text) => compiled.matcher(text).find(),
    replaceAll: (text, template) => replaceAll(compiled, text, template),
  };
}

function replaceAll(compiled: RE2JS, text: string, template: string): string {
  const matcher = compiled.matcher(text);
  const groups = new Map(Object.entries(compiled.namedGroups()));
  const valueOf = (name: string): string => {
    const group = /^\d+$/.test(name) ? Number(name) : groups.get(name);
    return group === undefined || group > matcher.groupCount() ? '' : (matcher.group(group) ?? '');
  };
  let out = '';
  let end = 0;
  while (matcher.find()) {
    out += text.slice(end, matcher.start());
    // An empty match right behind another one is none.
    if (matcher.end() > end || matcher.start() === 0) out += expand(template, valueOf);
    end = matcher.end();
  }
  return out + text.slice(end);
}

/** A name is as long as it can be: `$1x` is the group "1x", which no expression has. A "$" before no name is itself. */
const NAME = /\$(?:(\$)|\{([\p{L}\p{Nd}_]+)\}|([\p{L}\p{Nd}_]+))/gu;

function expand(template: string, valueOf: (name: string) => string): string {
  return template.replaceAll(NAME, (_, dollar?: string, braced?: string, bare?: string) =>
    dollar === undefined ? valueOf(braced ?? bare ?? '') : '$',
  );
}
