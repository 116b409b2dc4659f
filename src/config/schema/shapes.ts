/**
 * The building blocks of the document's schema. Shapes only: zod says what is text, list or map and
 * refuses unknown keys; what a text means is read by normalise-*.ts. No key is required here, because
 * a missing one is reported where its remedy is known. The `error` of a shape completes
 * `"x" is not …`, and lists the known keys for an object.
 */
import * as z from 'zod';

export interface KeyFacts {
  /** What holds where the key is not written, as it would be written. */
  readonly default?: unknown;
  readonly examples?: readonly unknown[];
}

export const KNOWN_KEYS = 'known keys: ';

export function text(expected: string): z.ZodType<string> {
  return z.string({ error: expected });
}

export function flag(): z.ZodType<boolean> {
  return z.boolean({ error: 'true or false' });
}

export function whole(least: number, most: number): z.ZodType<number> {
  const error = `a whole number from ${least} to ${most}`;
  return z.number({ error }).int({ error }).min(least, { error }).max(most, { error });
}

export function numberOf(expected: string): z.ZodType<number> {
  return z.number({ error: expected });
}

export function word<T extends string>(...words: readonly T[]): z.ZodType<T> {
  const quoted = words.map((one) => `"${one}"`);
  const last = quoted.pop() ?? '';
  const error = quoted.length === 0 ? last : `${quoted.join(', ')} or ${last}`;
  return z.enum(words, { error });
}

/** `off` and `false`: YAML 1.1 habits read them as one. */
export function off(): z.ZodType<'off' | false> {
  return z.union([z.literal('off'), z.literal(false)], { error: '"off"' });
}

export function list<T>(item: z.ZodType<T>, expected: string): z.ZodType<readonly T[]> {
  return z.array(item, { error: expected });
}

/** One, or a list of them. */
export function oneOrMore<T>(item: z.ZodType<T>, expected: string): z.ZodType<T | readonly T[]> {
  return z.union([item, z.array(item)], { error: expected });
}

export function map<T>(value: z.ZodType<T>, expected: string): z.ZodType<Readonly<Record<string, T>>> {
  return z.record(z.string(), value, { error: expected });
}

export function either<A, B>(a: z.ZodType<A>, b: z.ZodType<B>, expected: string): z.ZodType<A | B> {
  return z.union([a, b], { error: expected });
}

/** A map with known keys; unknown ones are refused, with the known ones at hand for "did you mean". */
export function section<T extends z.core.$ZodLooseShape>(shape: T, expected: string): z.ZodObject<T, z.core.$strict> {
  const known = KNOWN_KEYS + Object.keys(shape).join(' ');
  return z.strictObject(shape, { error: (issue) => (issue.code === 'unrecognized_keys' ? known : expected) });
}

/** A key of a section, described: the reference and the editors' JSON Schema show it. */
export function key<T>(shape: z.ZodType<T>, description: string, facts: KeyFacts = {}): z.ZodOptional<z.ZodType<T>> {
  return z.optional(shape).meta({ description, ...facts });
}

/** The keys of a section whose every key may be left out. */
export type ShapeOf<T> = { readonly [K in keyof T]-?: z.ZodOptional<z.ZodType<Exclude<T[K], undefined>>> };

/** Text such as "30s", or "unlimited". Numbers are taken so that 0 may be written without quotes. */
export type UnitInput = string | number;

export function duration(): z.ZodType<UnitInput> {
  return either(z.string(), z.number(), 'a duration such as "30s", "1h30m" or "unlimited"');
}

export function size(): z.ZodType<UnitInput> {
  return either(z.string(), z.number(), 'a size such as "10MB", "512KiB" or "unlimited"');
}
