/**
 * Reads names (groups, roles) and texts out of claims by path. A path is first taken as the name of one
 * claim ("https://example.com/groups"), then as a way down: dots part, "\." is a dot within a name, "*"
 * is any name and is written before what it leads to ("grafana:admin").
 */

import { MOST_NAMES } from '../../core/person.ts';

export type Claims = Readonly<Record<string, unknown>>;

const MAX_LENGTH = 256;
/** Control characters, and those that move text about: ends of lines, embeddings, overrides and isolates of direction. */
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/;

/** Names at any of the paths; null where none of the paths is there. */
export function readNames(claims: Claims, paths: readonly string[]): readonly string[] | null {
  let isThere = false;
  const names = new Set<string>();
  for (const path of paths) {
    for (const { value, prefix } of lookUp(claims, path)) {
      isThere = true;
      for (const name of namesIn(value)) if (names.size < MOST_NAMES && isName(prefix + name)) names.add(prefix + name);
    }
  }
  return isThere ? [...names] : null;
}

/** The first of the claims that holds a usable text. */
export function readText(claims: Claims, paths: readonly string[]): string | null {
  for (const path of paths) {
    for (const { value } of lookUp(claims, path)) if (typeof value === 'string' && isName(value)) return value;
  }
  return null;
}

export function isName(text: string): boolean {
  return text !== '' && text.length <= MAX_LENGTH && !CONTROL.test(text) && text.trim() === text;
}

interface Found {
  readonly value: unknown;
  readonly prefix: string;
}

function lookUp(claims: Claims, path: string): readonly Found[] {
  if (Object.hasOwn(claims, path)) return [{ value: claims[path], prefix: '' }];
  return descend({ value: claims, prefix: '' }, splitPath(path));
}

function descend(at: Found, steps: readonly string[]): readonly Found[] {
  const [step, ...rest] = steps;
  if (step === undefined) return [at];
  if (!isMap(at.value)) return [];
  const map = at.value;
  if (step === '*') {
    return Object.keys(map).flatMap((key) => descend({ value: map[key], prefix: `${at.prefix}${key}:` }, rest));
  }
  return Object.hasOwn(map, step) ? descend({ value: map[step], prefix: at.prefix }, rest) : [];
}

/** `a.b\.c` is "a", then "b.c". */
export function splitPath(path: string): readonly string[] {
  const steps = [''];
  for (let i = 0; i < path.length; i++) {
    const char = path[i] as string;
    if (char === '\\' && i + 1 < path.length) steps[steps.length - 1] += path[++i] as string;
    else if (char === '.') steps.push('');
    else steps[steps.length - 1] += char;
  }
  return steps;
}

/** One name, a list of them, a list of things with names, or a map whose keys are the names. */
function namesIn(value: unknown): readonly string[] {
  if (typeof value === 'string') return [value];
  if (Array.isArray(value)) {
    return value.flatMap((one: unknown) => {
      if (typeof one === 'string') return [one];
      return isMap(one) && typeof one['name'] === 'string' ? [one['name']] : [];
    });
  }
  return isMap(value) ? Object.keys(value) : [];
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
