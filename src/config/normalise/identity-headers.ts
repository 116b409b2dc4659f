/** Reads `identity_headers`: presets by name, names of one's own, or both. */
import type { IdentityField, IdentityHeaders, Path } from '../document.ts';
import { didYouMean } from '../../core/did-you-mean.ts';
import { DEFAULT_IDENTITY_PRESET, IDENTITY_PRESETS } from '../presets/identity-headers.ts';
import type { IdentityHeadersInput, IdentityNamesInput } from '../schema/identity-headers.ts';
import { IDENTITY_VALUES } from '../schema/identity-headers.ts';
import { type Context, entriesOf } from './context.ts';
import { identityNameFault } from './header-edits.ts';

export const DEFAULT_IDENTITY_HEADERS: IdentityHeaders = {
  fields: IDENTITY_PRESETS[DEFAULT_IDENTITY_PRESET]?.fields ?? [],
  groupsEncoding: 'comma',
  audience: null,
};

interface Input {
  readonly identity_headers?: IdentityHeadersInput | undefined;
  readonly assertion_audience?: string | undefined;
}

/** The same object where nothing is written: routes share what is made for it. */
export function readIdentityHeaders(
  input: Input,
  path: Path,
  base: IdentityHeaders,
  context: Context,
): IdentityHeaders {
  const { identity_headers: names, assertion_audience: audience } = input;
  if (names === undefined && audience === undefined) return base;
  const read = names === undefined ? base : readNames(names, [...path, 'identity_headers'], context);
  return { ...read, audience: readAudience(audience, [...path, 'assertion_audience'], context) ?? base.audience };
}

function readNames(input: IdentityHeadersInput, path: Path, context: Context): IdentityHeaders {
  const fields: IdentityField[] = [];
  let groupsEncoding: IdentityHeaders['groupsEncoding'] = 'comma';
  for (const [one, at] of entriesOf<string | IdentityNamesInput>(input, path)) {
    if (typeof one === 'string') fields.push(...readPreset(one, at, context));
    else {
      fields.push(...readOwnNames(one, at, context));
      groupsEncoding = one.groups_encoding ?? groupsEncoding;
    }
  }
  refuseRepeats(fields, path, context);
  const inOrder = IDENTITY_VALUES.flatMap((value) => fields.filter((one) => one.value === value));
  return { fields: inOrder, groupsEncoding, audience: null };
}

function readPreset(name: string, at: Path, context: Context): readonly IdentityField[] {
  if (name === 'none') return [];
  const preset = Object.hasOwn(IDENTITY_PRESETS, name) ? IDENTITY_PRESETS[name] : undefined;
  if (preset !== undefined) return preset.fields;
  const known = [...Object.keys(IDENTITY_PRESETS), 'none'];
  const meant = didYouMean(name, known);
  const list = known.map((one) => `"${one}"`).join(', ');
  const remedy = meant === null ? `known presets: ${list}` : `did you mean "${meant}"?`;
  context.report(at, 'is no preset of identity headers', remedy);
  return [];
}

function readOwnNames(input: IdentityNamesInput, at: Path, context: Context): readonly IdentityField[] {
  const found: IdentityField[] = [];
  for (const value of IDENTITY_VALUES) {
    for (const [name, place] of entriesOf<string>(input[value], [...at, value])) {
      const wrong = identityNameFault(name, value);
      if (wrong === null) found.push({ name, value });
      else context.fault(place, wrong);
    }
  }
  return found;
}

/** Two values under one name would be read as either. */
function refuseRepeats(fields: readonly IdentityField[], path: Path, context: Context): void {
  const seen = new Set<string>();
  for (const { name } of fields) {
    const key = name.toLowerCase().replaceAll(/[^a-z0-9]/g, '-');
    if (seen.has(key)) context.report(path, `names the header "${name}" twice`, 'remove one');
    seen.add(key);
  }
}

function readAudience(text: string | undefined, at: Path, context: Context): string | null {
  if (text === undefined) return null;
  if (text !== '' && text.length <= 256 && !/[\u0000-\u001f\u007f]/.test(text)) return text;
  context.report(at, 'is no audience', 'write text such as "https://app.example.com"');
  return null;
}
