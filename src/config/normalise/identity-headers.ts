/** Reads `identity_headers`: presets by name, names of one's own, or both. */
import type { HeaderEdits, Route } from '../document/hosts.ts';
import type { IdentityField, IdentityHeaders, TokenField } from '../document/identity-headers.ts';
import type { Path } from '../document/path.ts';
import { didYouMean } from '../../core/did-you-mean.ts';
import { DEFAULT_IDENTITY_PRESET, IDENTITY_PRESETS } from '../presets/identity-headers.ts';
import type { IdentityHeadersInput, IdentityNamesInput } from '../schema/identity-headers.ts';
import { IDENTITY_VALUES, TOKEN_KINDS } from '../schema/identity-headers.ts';
import { type Context, entriesOf } from './context.ts';
import { identityNameFault, tokenNameFault } from './header-edits.ts';
import { isAnonymous } from './rules.ts';

export const DEFAULT_IDENTITY_HEADERS: IdentityHeaders = {
  fields: IDENTITY_PRESETS[DEFAULT_IDENTITY_PRESET]?.fields ?? [],
  groupsEncoding: 'comma',
  audience: null,
  tokens: [],
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
  const tokens: TokenField[] = [];
  let groupsEncoding: IdentityHeaders['groupsEncoding'] = 'comma';
  for (const [one, at] of entriesOf<string | IdentityNamesInput>(input, path)) {
    if (typeof one === 'string') fields.push(...readPreset(one, at, context));
    else {
      fields.push(...readOwnNames(one, at, context));
      tokens.push(...readTokenNames(one, at, context));
      groupsEncoding = one.groups_encoding ?? groupsEncoding;
    }
  }
  refuseRepeats([...fields, ...tokens], path, context);
  const inOrder = IDENTITY_VALUES.flatMap((value) => fields.filter((one) => one.value === value));
  return { fields: inOrder, groupsEncoding, audience: null, tokens };
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

/** Only where an app asks by itself: under `defaults` every host that is added later would get them, too. */
function readTokenNames(input: IdentityNamesInput, at: Path, context: Context): readonly TokenField[] {
  const found: TokenField[] = [];
  for (const token of TOKEN_KINDS) {
    for (const [name, place] of entriesOf<string>(input[token], [...at, token])) {
      const wrong = tokenNameFault(name);
      if (wrong !== null) context.fault(place, wrong);
      else if (at[0] === 'defaults')
        context.report(place, 'would pass tokens on to every app', 'write it on the host or path that needs it');
      else found.push({ name, token });
    }
  }
  return found;
}

type TokenRoute = Pick<Route, 'allow' | 'matchHeaders' | 'identityHeaders'> & { readonly requestHeaders: HeaderEdits };

/** What else may stand under the name of a token, and would be taken for it, or thrown away for it. */
export function checkTokenNames(route: TokenRoute, path: Path, context: Context): void {
  for (const { name, token } of route.identityHeaders.tokens) {
    const key = name.toLowerCase();
    if (Object.keys(route.requestHeaders.add).some((other) => other.toLowerCase() === key))
      context.report(path, `sends the ${textOf(token)} as "${name}", which "add_headers" sets as well`, 'remove one');
    if (key === 'authorization') checkAuthorization(route, path, token, context);
  }
}

/** Whoever brings a credential of the app itself in this field would lose it. */
function checkAuthorization(route: TokenRoute, path: Path, token: TokenField['token'], context: Context): void {
  const remedy = 'name the field of the token otherwise, such as "X-Forwarded-Access-Token"';
  const sends = `sends the ${textOf(token)} as "Authorization"`;
  if (Object.hasOwn(route.matchHeaders, 'authorization'))
    context.report(path, `${sends}, but takes requests by the "Authorization" of their own`, remedy);
  for (const { rule } of route.allow) {
    if (!isAnonymous(rule)) continue;
    const shown = typeof rule === 'string' ? rule : JSON.stringify(rule);
    context.report(
      path,
      `${sends}, but its rule "${shown}" lets in visitors who have no name, and may bring one for the app itself`,
      `${remedy}, or remove the rule`,
    );
  }
}

function textOf(token: TokenField['token']): string {
  return token === 'id_token' ? 'ID token' : 'access token';
}

/** Two values under one name would be read as either. */
function refuseRepeats(fields: readonly { readonly name: string }[], path: Path, context: Context): void {
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
