/**
 * Prints problems as two lines: place, code and message; then the remedy. On a terminal the line of
 * the document follows with a caret. What a substitution put in is never printed.
 */
import type { Diagnostic } from '../core/diagnostic.ts';
import type { Path } from './document/path.ts';
import type { PlacedDiagnostic, Secret } from './load.ts';
import type { Place } from './positions.ts';

export interface PrintOptions {
  /** As shown, e.g. "postern.yaml". */
  readonly file: string;
  /** The text of the document: with it, the line follows, with a caret. */
  readonly source?: string | undefined;
  readonly color?: boolean | undefined;
}

const INDENT = ' '.repeat(16);
const LONGEST_LINE = 160;
/** Shorter values would hide innocent text and guard nothing. */
const SHORTEST_SECRET = 4;

/** "" for none. */
export function printDiagnostics(diagnostics: readonly PlacedDiagnostic[], options: PrintOptions): string {
  const { source } = options;
  const lines = source === undefined || diagnostics.length === 0 ? null : source.replace(/^\uFEFF/, '').split('\n');
  return diagnostics.map((one) => printOne(one, options, lines)).join('');
}

function printOne(
  one: PlacedDiagnostic,
  { file, color = false }: PrintOptions,
  lines: readonly string[] | null,
): string {
  const paint = (code: number, text: string): string => (color ? `\u001B[${code}m${text}\u001B[0m` : text);
  const place = one.place === null ? file : `${file}:${one.place.line}:${one.place.column}`;
  const word = one.severity === 'warning' ? paint(33, 'WARNING') : paint(31, one.code ?? 'CONFIG_INVALID');
  let text = `${paint(1, place)}  ${word}  ${oneLine(one.message)}\n`;
  if (one.remedy !== null) text += `${INDENT}${oneLine(one.remedy)}\n`;
  if (lines !== null && one.place !== null && !one.isSecret) text += excerpt(lines, one.place, paint);
  return text;
}

/** What an operator wrote must not move the cursor of who reads the message. */
function oneLine(text: string): string {
  return text.replaceAll(
    /[\u0000-\u001F\u007F-\u009F\u2028\u2029]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function excerpt(
  lines: readonly string[],
  { line, column }: Place,
  paint: (code: number, text: string) => string,
): string {
  const text = lines[line - 1]?.replace(/\r$/, '');
  if (text === undefined || text.length > LONGEST_LINE) return '';
  const number = String(line).padStart(6);
  const before = oneLine(text.slice(0, column - 1).replaceAll('\t', ' ')).length;
  const shown = oneLine(text.replaceAll('\t', ' '));
  return `${paint(2, `${number} |`)} ${shown}\n${' '.repeat(7)}${paint(2, '|')} ${' '.repeat(before)}${paint(31, '^')}\n`;
}

/**
 * A problem that another room found in the document, with its place, and without the values that came
 * from variables: rooms quote what they were given.
 */
export function placeDiagnostic(
  diagnostic: Diagnostic,
  { locate, secrets }: { readonly locate: (path: Path) => Place | null; readonly secrets: readonly Secret[] },
): PlacedDiagnostic {
  const { path, message, remedy } = diagnostic;
  const related = secrets.filter((secret) => isWithin(secret.path, path) || isWithin(path, secret.path));
  return {
    ...diagnostic,
    message: maskSecrets(message, related),
    remedy: remedy === null ? null : maskSecrets(remedy, related),
    place: locate(path),
    isSecret: false,
  };
}

function isWithin(inner: Path, outer: Path): boolean {
  return outer.every((step, index) => inner[index] === step);
}

/** The text with each value that came from a variable replaced by `${NAME}`. */
export function maskSecrets(text: string, secrets: readonly Secret[]): string {
  let masked = text;
  for (const { name, value } of [...secrets].sort((a, b) => b.value.length - a.value.length)) {
    if (value.length >= SHORTEST_SECRET || value === text) masked = masked.replaceAll(value, `\${${name}}`);
  }
  return masked;
}
