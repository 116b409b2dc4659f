/** One field as HPACK carries it. What it means in a request is found out once, however often it is named again. */
import { KNOWN_KEYS } from '../known-names.ts';

/** RFC 7541 section 4.1. */
export const ENTRY_OVERHEAD = 32;

export const ROLE_UNKNOWN = 0;

export class TableEntry {
  readonly name: string;
  readonly value: string;
  readonly size: number;
  /** One of request-fields.ts, ROLE_UNKNOWN until somebody asked. */
  role: number = ROLE_UNKNOWN;

  constructor(name: string, value: string) {
    this.name = INTERNED.get(name) ?? name;
    this.value = value;
    this.size = name.length + value.length + ENTRY_OVERHEAD;
  }
}

/** Comparing keys is comparing pointers where both are these. */
const INTERNED: ReadonlyMap<string, string> = new Map(KNOWN_KEYS.map((key) => [key, key]));
