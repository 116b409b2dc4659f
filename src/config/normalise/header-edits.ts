/**
 * Reads header names and values. What frames a message, belongs to one connection or is Postern's own
 * cannot be edited: an edit there would break the message or forge an identity.
 */
import { isFieldValue, isToken } from '../../wire/fields.ts';
import { isHopByHop } from '../../wire/hop-by-hop.ts';
import type { HeaderEdits } from '../document/hosts.ts';
import type { Path } from '../document/path.ts';
import { fault, type Fault } from '../reading.ts';
import type { HeaderEditsInput, Scalar } from '../schema/routes.ts';
import { HEADER_TEMPLATES, headerTemplateFault } from '../template.ts';
import { type Context, entriesOf } from './context.ts';

export const NO_EDITS: HeaderEdits = { add: {}, remove: [] };

const FRAMING: ReadonlySet<string> = new Set(['content-length', 'transfer-encoding', 'expect']);

/** What the nearer one says wins over what it inherits. */
export function readHeaderEdits(
  input: HeaderEditsInput,
  path: Path,
  { direction, base }: { readonly direction: 'request' | 'response'; readonly base: HeaderEdits },
  context: Context,
): HeaderEdits {
  if (input.add_headers === undefined && input.remove_headers === undefined) return base;
  const add: Record<string, string> = { ...base.add };
  for (const [name, value] of Object.entries(input.add_headers ?? {})) {
    const at = [...path, 'add_headers', name];
    if (value === undefined || !isEditable(name, at, direction, context)) continue;
    const text = readHeaderValue(value, at, direction === 'request', context);
    if (text === null) continue;
    for (const other of Object.keys(add)) if (other.toLowerCase() === name.toLowerCase()) delete add[other];
    add[name] = text;
  }
  const remove = new Set(base.remove);
  for (const [name, at] of entriesOf<string>(input.remove_headers, [...path, 'remove_headers'])) {
    if (isEditable(name, at, direction, context)) remove.add(name.toLowerCase());
  }
  return { add, remove: [...remove] };
}

/** Fields of a fixed answer. */
export function readFixedHeaders(
  input: Readonly<Record<string, Scalar>> | undefined,
  path: Path,
  context: Context,
): Readonly<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const [name, value] of Object.entries(input ?? {})) {
    const at = [...path, name];
    if (value === undefined || !isEditable(name, at, 'response', context)) continue;
    const text = readHeaderValue(value, at, false, context);
    if (text !== null) found[name] = text;
  }
  return found;
}

/** Request fields that a route is told apart by: lower-case name -> value, or null for any. */
export function readHeaderMatch(
  input: Readonly<Record<string, Scalar | true>> | undefined,
  path: Path,
  context: Context,
): Readonly<Record<string, string | null>> {
  const found: Record<string, string | null> = {};
  for (const [name, value] of Object.entries(input ?? {})) {
    const at = [...path, name];
    if (value === undefined) continue;
    if (!isToken(name)) context.fault(at, fault('is not a header name'), { isAtKey: true });
    else if (value === true) found[name.toLowerCase()] = null;
    else {
      const text = readHeaderValue(value, at, false, context);
      if (text !== null) found[name.toLowerCase()] = text;
    }
  }
  return found;
}

function isEditable(name: string, at: Path, direction: 'request' | 'response', context: Context): boolean {
  const wrong = nameFault(name, direction);
  if (wrong === null) return true;
  context.fault(at, wrong, { isAtKey: at.at(-1) === name });
  return false;
}

const CREDENTIALS: ReadonlySet<string> = new Set(['authorization', 'cookie', 'via']);

/** A name under which an app learns who comes. */
export function identityNameFault(name: string, value: string): Fault | null {
  if (value === 'assertion' && name.toLowerCase() === 'postern-assertion') return null;
  if (CREDENTIALS.has(name.toLowerCase())) return fault('has a meaning of its own', 'write a name such as "X-Team"');
  return nameFault(name, 'request');
}

/** The same for a token that is passed on: `Authorization` is what it is for. */
export function tokenNameFault(name: string): Fault | null {
  return name.toLowerCase() === 'authorization' ? null : identityNameFault(name, 'token');
}

function nameFault(name: string, direction: 'request' | 'response'): Fault | null {
  if (!isToken(name)) return fault('is not a header name', 'write a name such as "X-Team"');
  const key = name.toLowerCase();
  if (key === 'host') return fault('is not edited here', direction === 'request' ? 'use "host_header"' : 'remove it');
  if (isHopByHop(key)) return fault('belongs to one connection and never passes a proxy', 'remove it');
  if (FRAMING.has(key)) return fault('frames the message, and Postern writes it itself', 'remove it');
  if (key.startsWith('postern-')) return fault("is one of Postern's own headers", 'choose another name');
  return null;
}

function readHeaderValue(value: Scalar, at: Path, hasTemplates: boolean, context: Context): string | null {
  const text = String(value);
  if (/[\r\n\0]/.test(text)) {
    context.fault(at, fault('holds a line break or NUL', 'write the value on one line'), { isSecret: true });
    return null;
  }
  if (!isFieldValue(text)) {
    context.fault(at, fault('holds a character that no header value may have, or spaces at an end'), {
      isSecret: true,
    });
    return null;
  }
  const wrong = hasTemplates ? headerTemplateFault(text, { known: HEADER_TEMPLATES, maps: context.maps }) : null;
  if (wrong === null) return text;
  context.fault(at, wrong, { isSecret: true });
  return null;
}
