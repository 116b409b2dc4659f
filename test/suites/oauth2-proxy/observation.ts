/**
 * What is compared of an answer: its status, every field, the body, and what the application received, as
 * text by facet. What must differ between two runs (states, tokens, ports, times) is replaced by a word.
 */
import { PEOPLE } from './people.ts';
import type { Answer, Field } from './raw-client.ts';
import type { Received } from './upstream.ts';

/** Facet -> what was seen. */
export type Observation = ReadonlyMap<string, string>;

export interface Places {
  readonly port: number;
  readonly metricsPort?: number;
  readonly upstreamPort: number;
  readonly issuer: string;
  readonly prefix: string;
  readonly cookie: string;
  readonly dir: string;
}

/** Said by the connection or the clock, not by the contract. */
const NOT_COMPARED = new Set(['date', 'content-length', 'connection', 'transfer-encoding', 'keep-alive']);
const NOT_COMPARED_UPSTREAM = new Set(['connection', 'content-length', 'transfer-encoding']);

export function observe(answer: Answer, received: readonly Received[], places: Places): Observation {
  const seen = new Map<string, string>();
  const plain = (text: string): string => withoutVolatile(text, places);
  seen.set('status', answer.status === 0 ? 'closed without an answer' : String(answer.status));
  const isRedirect = answer.status >= 300 && answer.status < 400;
  for (const [name, values] of byName(answer.fields)) {
    if (NOT_COMPARED.has(name) || (isRedirect && name === 'content-type')) continue;
    if (name === 'set-cookie') seen.set(name, values.map((value) => cookieLine(value, places)).join('\n'));
    else if (name === 'location') seen.set(name, values.map((value) => locationLine(value, places)).join('\n'));
    else if (name === 'last-modified') seen.set(name, '<time>');
    else seen.set(name, values.map(plain).join('\n'));
  }
  seen.set('body', isRedirect ? '' : bodyKind(answer, plain));
  answer.interim.forEach(({ status, fields }, index) => {
    seen.set(`interim ${index + 1}`, [status, ...fieldLines(fields, NOT_COMPARED, plain)].join('\n'));
  });
  if (answer.tunnel !== '') seen.set('tunnel', answer.tunnel);
  seen.set('application', received.length === 0 ? 'not asked' : received.map(({ line }) => plain(line)).join('\n'));
  received.forEach(({ fields, body }, index) => {
    const at = received.length === 1 ? 'application' : `application ${index + 1}`;
    for (const [name, values] of byName(fields)) {
      if (!NOT_COMPARED_UPSTREAM.has(name)) seen.set(`${at} ${name}`, values.map(plain).join('\n'));
    }
    if (body !== '') seen.set(`${at} body`, body);
  });
  return seen;
}

function byName(fields: readonly Field[]): Map<string, string[]> {
  const all = new Map<string, string[]>();
  for (const [name, value] of fields) {
    const key = name.toLowerCase();
    all.set(key, [...(all.get(key) ?? []), value]);
  }
  return all;
}

function fieldLines(fields: readonly Field[], not: ReadonlySet<string>, plain: (text: string) => string): string[] {
  return fields
    .filter(([name]) => !not.has(name.toLowerCase()))
    .map(([name, value]) => `${name.toLowerCase()}: ${plain(value)}`);
}

/** Name and attributes as they stand, in their order; of the value only whether there is one. */
function cookieLine(line: string, { cookie, port }: Places): string {
  const [pair = '', ...attributes] = line.split('; ');
  const at = pair.indexOf('=');
  const name = pair
    .slice(0, at)
    .replace(new RegExp(`^((?:__Host-)?${escaped(cookie)})_[\\w-]{8}_csrf$`), '$1_<request>_csrf');
  const value = pair.slice(at + 1) === '' ? '' : '<value>';
  const rest = attributes.map((one) => one.replace(/^(expires)=.*/i, '$1=<time>').replace(`:${port}`, ':<port>'));
  return [`${name}=${value}`, ...rest].join('; ');
}

/** The parameters of an address at the provider are a set: their order says nothing. */
function locationLine(value: string, places: Places): string {
  const at = value.indexOf('?');
  if (!value.startsWith(places.issuer) || at === -1) return withoutVolatile(value, places);
  const parameters = value
    .slice(at + 1)
    .split('&')
    .sort();
  const known = parameters.map((one) => one.replace(/^(state|nonce|code_challenge)=.+/, '$1=<$1>'));
  return withoutVolatile(`${value.slice(0, at)}?${known.join(' ')}`, places);
}

export function withoutVolatile(text: string, { issuer, port, upstreamPort, dir, cookie }: Places): string {
  return text
    .replaceAll(encodeURIComponent(issuer), '<provider>')
    .replaceAll(issuer, '<provider>')
    .replaceAll(`:${port}`, ':<port>')
    .replaceAll(`:${upstreamPort}`, ':<app-port>')
    .replaceAll(/(dial tcp 127\.0\.0\.1):\d+/g, '$1:<store>')
    .replaceAll(dir, '<dir>')
    .replaceAll(new RegExp(`(${escaped(cookie)}\\w*)=[^;, ]+`, 'g'), '$1=<value>')
    .replaceAll(
      /\bBasic ([\w+/]{30,}=*)/g,
      (_, base64: string) => `Basic of ${Buffer.from(base64, 'base64').toString()}`,
    )
    .replaceAll(/\bpostern-[\da-f]{12}\b/g, 'postern-<id>')
    .replaceAll(/\b(?=\w*\d)[a-z\d]{20}\b/g, '<id>')
    .replaceAll(/eyJ[\w-]+\.(eyJ[\w-]+)\.[\w-]+/g, (_, claims: string) => jwtLine(claims))
    .replaceAll(/\b[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}\b/g, '<uuid>');
}

function jwtLine(claims: string): string {
  const { sub, typ } = JSON.parse(Buffer.from(claims, 'base64url').toString()) as Record<string, unknown>;
  const person = Object.keys(PEOPLE).find((name) => PEOPLE[name]?.['sub'] === sub) ?? 'somebody';
  return `<${typ === 'Bearer' ? 'access' : 'ID'} token of ${person}>`;
}

const LONG = 2_000;

function bodyKind({ fields, body }: Answer, plain: (text: string) => string): string {
  const type = fields.find(([name]) => name.toLowerCase() === 'content-type')?.[1] ?? '';
  const text = Buffer.from(body, 'latin1').toString();
  if (type.startsWith('text/html') && body !== '') return pageKind(text);
  return body.length > LONG ? `a file of ${type}` : plain(text);
}

/** Pages have words and looks of their own: what a visitor can do on one is what is compared. */
function pageKind(html: string): string {
  const ways = [...html.matchAll(/<form\b([^>]*)>([\s\S]*?)<\/form>/gi)].flatMap(([, attributes = '', inner = '']) => {
    const action = attributeOf(attributes, 'action') ?? '';
    const inputs = [...inner.matchAll(/<input\b([^>]*)>/gi)].map(([, input = '']) => input);
    const rd = inputs.find((input) => attributeOf(input, 'name') === 'rd');
    const asks = inputs.some((input) => attributeOf(input, 'name') === 'password') ? 'password' : 'provider';
    if (asks === 'provider' && !action.endsWith('/start')) return [];
    return [`${asks} at ${action}${rd === undefined ? '' : `, then ${attributeOf(rd, 'value') ?? ''}`}`];
  });
  return ways.length === 0 ? 'page' : `sign-in page: ${ways.sort().join('; ')}`;
}

function attributeOf(tag: string, name: string): string | undefined {
  const value = new RegExp(`\\b${name}="([^"]*)"`).exec(tag)?.[1];
  return value
    ?.replaceAll('&#43;', '+')
    .replaceAll('&quot;', '"')
    .replaceAll('&#34;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&amp;', '&');
}

function escaped(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
