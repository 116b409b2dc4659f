/**
 * The original's templates of log lines: text with `{{.Field}}` in it. Only fields are known, no functions
 * or branches of Go's language. A value cannot end the line, and holds no escape of a terminal.
 */
import { PosternError } from '../../core/errors.ts';
import { visible } from '../../core/log.ts';

/** Writes a line without its end. */
export type LineTemplate<F extends string> = (values: Readonly<Record<F, string>>) => string;

/** Throws CONFIG_INVALID for what it does not know. */
export function compileLineTemplate<F extends string>(
  text: string,
  fields: readonly F[],
  option: string,
): LineTemplate<F> {
  const known: ReadonlySet<string> = new Set(fields);
  const parts = text.split(/\{\{-?\s*(.*?)\s*-?\}\}/s).map((part, at) => {
    const remedy = `the fields are ${fields.map((one) => `{{.${one}}}`).join(', ')}`;
    if (at % 2 === 0) {
      if (!part.includes('{{')) return part;
      const open = part.slice(part.lastIndexOf('{{'));
      throw new PosternError('CONFIG_INVALID', `Cannot use ${option}: "${open}" is not closed by "}}"; ${remedy}`);
    }
    const field = /^\.(\w+)$/.exec(part)?.[1] ?? '';
    if (known.has(field)) return { field: field as F };
    throw new PosternError('CONFIG_INVALID', `Cannot use ${option}: "{{${part}}}" is not known; ${remedy}`);
  });
  return (values) => parts.map((part) => (typeof part === 'string' ? part : visible(values[part.field]))).join('');
}

/** As the original writes times: 2006/01/02 15:04:05, in the zone of the process. */
export function timestamp(ms: number, isUtc: boolean): string {
  const date = new Date(ms);
  // By the calendar of UTC itself: a time of this place, moved by the offset, may stand where clocks are put forward.
  if (isUtc) return date.toISOString().slice(0, 19).replaceAll('-', '/').replace('T', ' ');
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = `${date.getFullYear()}/${two(date.getMonth() + 1)}/${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}
