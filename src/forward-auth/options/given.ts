/** What was given for each option, and by what: the nearest source wins, as in the original. */
import type { OptionValue } from './option.ts';

export interface Given {
  readonly value: OptionValue;
  /** "--flag", "OAUTH2_PROXY_X", "FILE:LINE". */
  readonly source: string;
  /** What it is called there, where that is not the option's key: "providers[0].clientID". */
  readonly name?: string;
}

/** By the option's key. */
export type GivenOptions = ReadonlyMap<string, Given>;

/** The first that names an option wins: flags, then variables, then the file. */
export function mergeGiven(sources: readonly GivenOptions[]): GivenOptions {
  const merged = new Map<string, Given>();
  for (const source of sources) {
    for (const [key, given] of source) if (!merged.has(key)) merged.set(key, given);
  }
  return merged;
}
