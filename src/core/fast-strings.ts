/**
 * Undoes what a class that extends String (ioredis has one) does to all strings of a thread: V8 keeps
 * String.prototype as a hash table from then on, and looks every method of every string up in it. Reading text
 * character by character takes five times as long. Where a method is read off a String object, V8 makes it fast again.
 */

/** Reads before the engine keeps a cache for the place that reads; a few dozen are enough. */
const READS = 10_000;

/** Call it once such a class is there. */
export function makeStringsFast(): void {
  // What is read off a plain string does not count: only objects have a prototype chain that is looked at.
  const text: { readonly charCodeAt: unknown } = Object('text') as string;
  let seen: unknown = null;
  for (let i = 0; i < READS; i++) seen = text.charCodeAt;
  if (seen === null) throw new TypeError('Cannot read a method of String');
}
