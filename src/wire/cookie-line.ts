/**
 * The Cookie line of a request, whose bytes a client repeats while other fields change. It may be the longest by
 * far (a session sealed in it has two kilobytes), so that reading it again costs more than all else of a head.
 */
import type { KnownName } from './known-names.ts';

const CR = 13;
const LF = 10;
const LARGE_C = 67;
const SMALL_C = 99;

export class CookieLine {
  /** With its CRLF. */
  readonly text: string;
  /** Places in it. */
  readonly colon: number;
  readonly start: number;
  readonly end: number;
  readonly name: KnownName | null;
  readonly value: string;

  // oxlint-disable-next-line max-params -- the parts of a line, as FieldSpans has them
  constructor(text: string, colon: number, start: number, end: number, name: KnownName | null) {
    this.text = text;
    this.colon = colon;
    this.start = start;
    this.end = end;
    this.name = name;
    this.value = text.slice(start, end);
  }

  /** True where text[at..to) begins with it. */
  isAt(text: string, at: number, to: number): boolean {
    const { length } = this.text;
    if (at + length > to) return false;
    const first = text.charCodeAt(at);
    if (first !== LARGE_C && first !== SMALL_C) return false;
    // Nearly every other line is told apart by where it ends.
    if (text.charCodeAt(at + length - 1) !== LF || text.charCodeAt(at + length - 2) !== CR) return false;
    return text.slice(at, at + length) === this.text;
  }
}
