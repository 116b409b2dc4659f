/** Takes secrets out of what is shown: what came from a variable, and credentials that stand in the document itself. */
import { isSecretName } from '../../core/redact.ts';
import { maskSecrets } from '../print-diagnostics.ts';
import { SECRET, type Shown } from './words.ts';
import type { Secret } from '../load.ts';

export function mask(shown: Shown, secrets: readonly Secret[]): Shown {
  if (typeof shown === 'string') return maskSecrets(shown, secrets);
  if (typeof shown === 'number') {
    const masked = maskSecrets(String(shown), secrets);
    return masked === String(shown) ? shown : masked;
  }
  if (typeof shown === 'boolean') return shown;
  if (Array.isArray(shown)) return (shown as readonly Shown[]).map((one) => mask(one, secrets));
  const entries = Object.entries(shown as Readonly<Record<string, Shown | undefined>>);
  return Object.fromEntries(
    entries.flatMap(([key, value]) => {
      if (value === undefined) return [];
      return [[key, FIELDS.has(key) ? maskFields(value, secrets) : mask(value, secrets)]];
    }),
  );
}

/** Maps of header fields. */
const FIELDS: ReadonlySet<string> = new Set(['add_headers', 'headers']);

const TEMPLATE = /^(?:[A-Za-z]+ )?\{[^{}]+\}$/;

/** A credential that stands in the document itself is one all the same. */
function maskFields(fields: Shown, secrets: readonly Secret[]): Shown {
  const masked = mask(fields, secrets);
  if (typeof masked !== 'object' || Array.isArray(masked)) return masked;
  const before = fields as Readonly<Record<string, Shown | undefined>>;
  return Object.fromEntries(
    Object.entries(masked).map(([name, value]) => {
      const isPlain = typeof value === 'string' && value === before[name] && !TEMPLATE.test(value);
      return [name, isPlain && isSecretName(name) ? SECRET : value];
    }),
  );
}
