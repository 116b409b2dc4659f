/**
 * A route's `add_headers` and `remove_headers`, compiled once for each set of edits. What is added
 * replaces every alias spelling of it that the client or the app sent.
 */
import { foldName } from './header-verdict.ts';
import type { HeaderEdits } from '../config/document/hosts.ts';
import type { HeaderBlock } from '../wire/header-block.ts';

const MAX_CACHED = 1_024;

export class CompiledEdits {
  readonly isEmpty: boolean;
  /** Lines to be sent, each with its CRLF. */
  readonly lines: string;
  readonly #added: readonly (readonly [name: string, value: string])[];
  readonly #folded: ReadonlySet<string>;
  readonly #verdicts = new Map<string, boolean>();

  constructor(edits: HeaderEdits) {
    this.#added = Object.entries(edits.add).map(([name, value]) => [name, fieldValue(value)]);
    this.#folded = new Set([...Object.keys(edits.add), ...edits.remove].map((name) => foldName(name.toLowerCase())));
    this.isEmpty = this.#folded.size === 0;
    this.lines = this.#added.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  }

  /** Whether a field that came in gives way. */
  replaces(key: string): boolean {
    const known = this.#verdicts.get(key);
    if (known !== undefined) return known;
    const verdict = this.#folded.has(foldName(key));
    if (this.#verdicts.size >= MAX_CACHED) this.#verdicts.clear();
    this.#verdicts.set(key, verdict);
    return verdict;
  }

  apply(headers: HeaderBlock): void {
    headers.removeWhere((key) => this.replaces(key));
    for (const [name, value] of this.#added) headers.append(name, value);
  }
}

const compiled = new WeakMap<HeaderEdits, CompiledEdits>();
let last: { readonly edits: HeaderEdits; readonly found: CompiledEdits } | null = null;

export function compileEdits(edits: HeaderEdits): CompiledEdits {
  // Requests of one route come one after the other.
  if (last !== null && last.edits === edits) return last.found;
  let found = compiled.get(edits);
  if (found === undefined) {
    found = new CompiledEdits(edits);
    compiled.set(edits, found);
  }
  last = { edits, found };
  return found;
}

/** The very block, with the route's edits. */
export function edited(headers: HeaderBlock, edits: HeaderEdits): HeaderBlock {
  const found = compileEdits(edits);
  if (!found.isEmpty) found.apply(headers);
  return headers;
}

/**
 * Text as a field value of one byte a character: UTF-8 beyond ASCII, and never a control character,
 * which could end the line and begin another field.
 */
export function fieldValue(text: string): string {
  let isPlain = true;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x20 || code > 0x7e) {
      isPlain = false;
      break;
    }
  }
  if (isPlain) return text.trim();
  return Buffer.from(text.replaceAll(/[\0-\x1f\x7f]/g, ' ').trim(), 'utf8').toString('latin1');
}
