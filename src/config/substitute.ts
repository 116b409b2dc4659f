/**
 * `${ENV}`, `${ENV:-default}` and `${file:path}` within one parsed scalar, so that a value can never
 * become YAML. `$${` stands for "${". Unset or empty is a fault; nothing is substituted twice.
 */
import { fault, type Fault, read, type Reading } from './reading.ts';

export interface Sources {
  readonly env: (name: string) => string | undefined;
  /** The text of a file; throws where it cannot be read. */
  readonly readFile: (path: string) => string;
  readonly reasonOf: (error: unknown) => string;
}

export interface Substituted {
  readonly text: string;
  /** What was put in, and by which name. Defaults are part of the document and no secret. */
  readonly parts: readonly { readonly name: string; readonly value: string }[];
}

const LONGEST_FILE = 65_536;
const START = /\$?\$\{/g;
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

export function substitute(text: string, sources: Sources): Reading<Substituted> {
  const parts: { name: string; value: string }[] = [];
  let result = '';
  let at = 0;
  START.lastIndex = 0;
  for (let start = START.exec(text); start !== null; start = START.exec(text)) {
    result += text.slice(at, start.index);
    if (start[0] === '$${') {
      result += '${';
      at = START.lastIndex;
      continue;
    }
    const end = text.indexOf('}', start.index);
    if (end === -1) return fault('has "${" without "}"', 'write "$${" where a plain "${" is meant');
    const found = expand(text.slice(start.index + 2, end), sources);
    if (!found.ok) return found;
    result += found.value.value;
    if (found.value.isSecret) parts.push({ name: found.value.name, value: found.value.value });
    at = end + 1;
    START.lastIndex = at;
  }
  return read({ text: result + text.slice(at), parts });
}

interface Expansion {
  readonly name: string;
  readonly value: string;
  readonly isSecret: boolean;
}

function expand(inner: string, sources: Sources): Reading<Expansion> {
  if (inner.startsWith('file:')) return expandFile(inner.slice(5), sources);
  const split = inner.indexOf(':-');
  const name = split === -1 ? inner : inner.slice(0, split);
  if (!NAME.test(name)) return nameFault(inner);
  const value = sources.env(name);
  if (value !== undefined && value !== '') return read({ name, value, isSecret: true });
  if (split !== -1) return read({ name, value: inner.slice(split + 2), isSecret: false });
  const state = value === undefined ? 'is not set' : 'is empty';
  return fault(
    `needs the variable "${name}", which ${state}`,
    `set it in the environment or the env file, or write "\${${name}:-default}"`,
  );
}

function nameFault(inner: string): Fault {
  if (/^[A-Za-z_]\w*\./.test(inner))
    return fault(`has "\${${inner}}", which is no variable name`, `write "{${inner}}" for a template`);
  return fault(`has "\${${inner}}", which is no variable name`, 'write "$${" where a plain "${" is meant');
}

function expandFile(path: string, sources: Sources): Reading<Expansion> {
  if (path === '') return fault('has "${file:}" without a path', 'write "${file:/run/secrets/name}"');
  let text: string;
  try {
    text = sources.readFile(path);
  } catch (error) {
    return fault(
      `needs the file "${path}", which cannot be read: ${sources.reasonOf(error)}`,
      'check the path and its permissions',
    );
  }
  const value = text.replace(/[\r\n]+$/, '');
  if (value === '') return fault(`needs the file "${path}", which is empty`, 'write the value into the file');
  if (value.length > LONGEST_FILE) return fault(`needs the file "${path}", which is longer than 64 KiB`);
  return read({ name: `file:${path}`, value, isSecret: true });
}
