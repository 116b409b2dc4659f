/** From zod's issues to problems with a place, what was expected, and what was probably meant. */
import type * as z from 'zod';
import { suggest } from './did-you-mean.ts';
import type { Path } from './document/path.ts';
import { KNOWN_KEYS } from './schema/shapes.ts';

type Issue = z.core.$ZodIssue;

export type ShapeProblem =
  | {
      readonly kind: 'unknown-key';
      readonly path: Path;
      readonly known: readonly string[];
      readonly meant: string | null;
      readonly expected: string;
    }
  | { readonly kind: 'mismatch'; readonly path: Path; readonly expected: string; readonly words: readonly string[] };

export function shapeProblems(issues: readonly Issue[], base: Path = []): readonly ShapeProblem[] {
  return issues.flatMap((issue) => problemsOf(issue, [...base, ...(issue.path as (string | number)[])]));
}

function problemsOf(issue: Issue, path: Path): readonly ShapeProblem[] {
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownKey(issue.message, path, key));
  if (issue.code === 'invalid_union') {
    const branch = likeliest(issue.errors);
    if (branch !== null) return shapeProblems(branch, path);
  }
  return [{ kind: 'mismatch', path, expected: issue.message, words: wordsOf(issue) }];
}

function unknownKey(message: string, path: Path, key: string): ShapeProblem {
  const known = message.startsWith(KNOWN_KEYS) ? message.slice(KNOWN_KEYS.length).split(' ') : [];
  return { kind: 'unknown-key', path: [...path, key], known, meant: suggest(key, known), expected: message };
}

/** The branch of a union that the author had in mind: one whose outermost type fits. Null where none does. */
function likeliest(branches: readonly (readonly Issue[])[]): readonly Issue[] | null {
  const fitting = branches.filter((issues) => issues.length > 0 && !issues.some(isWrongKind));
  return fitting.sort((a, b) => a.length - b.length)[0] ?? null;
}

function isWrongKind(issue: Issue): boolean {
  if (issue.path.length > 0) return false;
  if (issue.code === 'invalid_union') return likeliest(issue.errors) === null;
  return issue.code === 'invalid_type' || issue.code === 'invalid_value';
}

function wordsOf(issue: Issue): readonly string[] {
  if (issue.code === 'invalid_union' && issue.discriminator !== undefined) return optionsOf(issue);
  if (issue.code === 'invalid_value') return issue.values.filter((value) => typeof value === 'string');
  return issue.code === 'invalid_union'
    ? issue.errors
        .flat()
        .filter((one) => one.path.length === 0)
        .flatMap(wordsOf)
    : [];
}

/** The words of the key that chooses between maps, such as `type`. */
function optionsOf(issue: Issue): readonly string[] {
  const { options } = issue as { readonly options?: readonly unknown[] };
  return (options ?? []).filter((one) => typeof one === 'string');
}
