/**
 * Templates with {user.name}, {user.provider}, {service.name}, {token.name}, {map.NAME}, {client.ip}, {request.id}, {path} and {query},
 * compiled once; which of them stand where is a closed list. What would become part of an address must
 * match [a-z0-9_-]{1,64}: anything else, or a value that is missing, makes the template undecidable
 * (null), never a shortened or quoted value. In headers, braces around anything else are literal (JSON).
 */
import type { Identity, Person } from '../core/person.ts';
import { isNamed } from '../policy/person-match.ts';

export interface TemplateContext {
  readonly identity: Identity;
  readonly ip: string | null;
  readonly requestId: string;
  /** The canonical path of the request. */
  readonly path: string;
  /** With its "?", or "". */
  readonly query: string;
}

/** The text for one request, or null where it cannot be decided. */
export type Template = (context: TemplateContext) => string | null;

export type TemplateUse = 'address' | 'header' | 'redirect';
export type Maps = Readonly<Record<string, Readonly<Record<string, string>>>>;

export type TemplateResult =
  | { readonly kind: 'template'; readonly render: Template; readonly names: readonly string[] }
  | { readonly kind: 'refused'; readonly reason: string };

const PLACEHOLDER = /\{([^{}]*)\}/g;
const ADDRESS_VALUE = /^[a-z0-9_-]{1,64}$/;
const HEADER_VALUE = /^[\x20-\x7e]{0,1024}$/;
const KNOWN: Readonly<Record<TemplateUse, readonly string[]>> = {
  address: ['user.name', 'user.provider', 'service.name', 'token.name'],
  header: ['user.name', 'user.provider', 'service.name', 'token.name', 'client.ip', 'request.id'],
  redirect: ['path', 'query'],
};

/** Compiles a text, or says which placeholder is refused. Plain texts compile too. */
export function compileTemplate(text: string, use: TemplateUse, maps: Maps): TemplateResult {
  const literals = [''];
  const names: string[] = [];
  let end = 0;
  for (const match of text.matchAll(PLACEHOLDER)) {
    const name = match[1] ?? '';
    const before = text.slice(end, match.index);
    end = match.index + match[0].length;
    const reason = refusalOf(name, use, maps);
    if (reason !== null && use !== 'header') return { kind: 'refused', reason };
    literals[literals.length - 1] += reason === null ? before : before + match[0];
    if (reason !== null) continue;
    names.push(name);
    literals.push('');
  }
  literals[literals.length - 1] += text.slice(end);
  if (use !== 'header' && literals.some((literal) => /[{}]/.test(literal)))
    return { kind: 'refused', reason: 'its braces do not match' };
  const values = names.map((name) => compileValue(name, use, maps));
  return { kind: 'template', names, render: (context) => render(literals, values, context) };
}

function render(literals: readonly string[], values: readonly Template[], context: TemplateContext): string | null {
  let text = literals[0] ?? '';
  for (let i = 0; i < values.length; i++) {
    const value = (values[i] as Template)(context);
    if (value === null) return null;
    text += value + (literals[i + 1] ?? '');
  }
  return text;
}

function refusalOf(name: string, use: TemplateUse, maps: Maps): string | null {
  const known = KNOWN[use];
  if (name.startsWith('map.') && use !== 'redirect') {
    const map = name.slice(4);
    return mapRefusal(name, use, Object.hasOwn(maps, map) ? maps[map] : undefined);
  }
  if (known.includes(name)) return null;
  const list = known.map((one) => `{${one}}`).join(', ');
  return `{${name}} is not known here; there are ${list}${use === 'redirect' ? '' : ' and {map.NAME}'}`;
}

function mapRefusal(name: string, use: TemplateUse, map: Maps[string] | undefined): string | null {
  if (map === undefined) return `{${name}} names a map that the document does not have under "maps"`;
  if (use !== 'address') return null;
  const wrong = Object.values(map).find((value) => !ADDRESS_VALUE.test(value));
  return wrong === undefined
    ? null
    : `{${name}} may be "${wrong}", and an address takes "a-z", "0-9", "_" and "-" only`;
}

function compileValue(name: string, use: TemplateUse, maps: Maps): Template {
  const read = readerOf(name, maps);
  const isValid = use === 'address' ? ADDRESS_VALUE : HEADER_VALUE;
  return (context) => {
    const value = read(context);
    return value !== null && isValid.test(value) ? value : null;
  };
}

function readerOf(name: string, maps: Maps): Template {
  switch (name) {
    case 'user.name':
      // A subject in the place of a name that is not said may read as somebody else's name.
      return ({ identity }) => (identity.kind === 'person' && isNamed(identity.person) ? identity.person.name : null);
    case 'user.provider':
      return ({ identity }) => (identity.kind === 'person' ? identity.person.provider : null);
    case 'service.name':
      return ({ identity }) => (identity.kind === 'service' ? identity.name : null);
    case 'token.name':
      return ({ identity }) => (identity.kind === 'token' ? identity.name : null);
    case 'client.ip':
      return ({ ip }) => ip;
    case 'request.id':
      return ({ requestId }) => requestId;
    case 'path':
      return ({ path }) => path;
    case 'query':
      return ({ query }) => query;
    default:
      return mapReader(new Map(Object.entries(maps[name.slice(4)] ?? {})));
  }
}

/** The person before any group, the full form "local:user:alice" before the short one. */
function mapReader(map: ReadonlyMap<string, string>): Template {
  const ofSets = [...map].flatMap(([key, value]) => setRuleOf(key, value) ?? []);
  return ({ identity }) => {
    if (identity.kind === 'anonymous') return null;
    if (identity.kind !== 'person') return map.get(`${identity.kind}:${identity.name}`) ?? null;
    const { person } = identity;
    const ofName = (): string | undefined =>
      map.get(`${person.provider}:user:${person.name}`) ?? map.get(`user:${person.name}`);
    return (isNamed(person) ? ofName() : undefined) ?? ofSets.find((one) => one.has(person))?.value ?? null;
  };
}

interface SetRule {
  readonly value: string;
  readonly has: (person: Person) => boolean;
}

const SET_KEY = /^(?:([^:]+):)?(group|role|org|team):(.+)$/s;

/** Groups (of GitHub organisations and teams) and roles in the order of the document: who is in two gets the value of the first. */
function setRuleOf(key: string, value: string): SetRule | null {
  const [, provider, kind, name = ''] = SET_KEY.exec(key) ?? [];
  if (kind === undefined) return null;
  const isOf = (person: Person): boolean => provider === undefined || person.provider === provider;
  const namesOf = (person: Person): readonly string[] => (kind === 'role' ? person.roles : person.groups);
  return { value, has: (person) => isOf(person) && namesOf(person).includes(name) };
}
