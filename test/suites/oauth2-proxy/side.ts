/**
 * One program in one configuration, and the people who visit it: sends requests, keeps each person's
 * cookies, signs people in through the provider's form, and writes down what was seen.
 */
import { createVisitor, readForm } from '../../support/visitor.ts';
import type { Visit } from '../../support/visitor.ts';
import { observe } from './observation.ts';
import type { Observation, Places } from './observation.ts';
import { sendExactly } from './raw-client.ts';
import type { Answer, Field, RawRequest } from './raw-client.ts';
import type { Running } from './programs.ts';
import type { Provider } from './provider.ts';
import type { Upstream } from './upstream.ts';

export const HOST = 'app.example.com';

export interface Ask {
  readonly headers?: readonly Field[];
  /** Replaces the Host field; null: none. */
  readonly host?: string | null;
  readonly body?: string;
  /** Whose cookies go along, and take up what comes back. */
  readonly jar?: Jar;
  readonly afterUpgrade?: string;
  /** Another listener of the program. */
  readonly port?: number;
}

export type Jar = Map<string, string>;

export interface Side extends Places {
  /** `GET /path`, raw. Noted under the label, if one is given. */
  readonly ask: (line: string, ask?: Ask, label?: string) => Promise<Answer>;
  /** From `/start` over the provider to the callback's answer, which is answered. */
  readonly signIn: (person: string, options?: SignInOptions) => Promise<SignedIn>;
  /** From the provider's address, which a start answered, to the callback's answer. */
  readonly finish: (location: string, person: string, options?: SignInOptions) => Promise<SignedIn>;
  readonly idToken: Provider['idToken'];
  /** The cookies of somebody who signed in once for all cases of the configuration. */
  readonly jarOf: (person: string) => Promise<Jar>;
  readonly note: (label: string, answer: Answer) => void;
  readonly noteFact: (label: string, fact: string) => void;
  readonly takeNotes: () => Map<string, Observation>;
  readonly output: () => string;
  /** The session store goes away. */
  readonly stopStore: () => Promise<void>;
}

export interface SignInOptions {
  readonly start?: string;
  readonly headers?: readonly Field[];
  readonly host?: string;
  readonly jar?: Jar;
  readonly password?: string;
  /** Notes the answers on the way as `LABEL start`, `LABEL callback`. */
  readonly label?: string;
}

export interface SignedIn {
  readonly jar: Jar;
  readonly callback: Answer;
  /** The callback's request, for a replay. */
  readonly request: { readonly line: string; readonly ask: Ask };
}

export interface SideParts {
  readonly places: Places;
  readonly upstream: Upstream;
  readonly program: Running;
  readonly tls: boolean;
  readonly idToken: Provider['idToken'];
  readonly stopStore?: () => Promise<void>;
}

export function createSide({ places, upstream, program, tls, idToken, stopStore }: SideParts): Side {
  let notes = new Map<string, Observation>();
  const jars = new Map<string, Promise<Jar>>();
  const note = (label: string, answer: Answer): void => {
    notes.set(label, observe(answer, upstream.take(), places));
  };
  const ask: Side['ask'] = async (line, options = {}, label) => {
    const answer = await sendExactly(options.port ?? places.port, { ...requestOf(line, options), tls });
    if (options.jar !== undefined) keepCookies(options.jar, answer);
    if (label !== undefined) note(label, answer);
    return answer;
  };
  const finish: Side['finish'] = async (location, person, options = {}) => {
    const { jar = new Map<string, string>(), label, headers = [], host = HOST } = options;
    const back = await visitProvider(location, person, options.password ?? `pw-${person}`);
    const body = back.body === undefined ? {} : { body: back.body };
    const request = { line: back.line, ask: { jar, headers: [...headers, ...back.headers], host, ...body } };
    const callback = await ask(request.line, request.ask, label === undefined ? label : `${label} callback`);
    return { jar, callback, request };
  };
  const signIn: Side['signIn'] = async (person, options = {}) => {
    const { jar = new Map<string, string>(), label, headers = [], host = HOST } = options;
    const line = `GET ${options.start ?? `${places.prefix}/start?rd=%2F`}`;
    const start = await ask(line, { jar, headers, host }, label === undefined ? label : `${label} start`);
    const location = valueOf(start, 'location');
    if (location === undefined) throw new Error(`Cannot sign in: "${line}" answered ${start.status} ${start.body}`);
    return finish(location, person, { ...options, jar });
  };
  return {
    ...places,
    ask,
    signIn,
    finish,
    idToken,
    note,
    noteFact: (label, fact) => notes.set(label, new Map([['fact', fact]])),
    jarOf(person) {
      const known = jars.get(person) ?? signIn(person).then(({ jar }) => jar);
      jars.set(person, known);
      return known.then((jar) => {
        upstream.take();
        return new Map(jar);
      });
    },
    takeNotes() {
      const taken = notes;
      notes = new Map();
      upstream.take();
      return taken;
    },
    output: program.output,
    stopStore: stopStore ?? (() => Promise.resolve()),
  };
}

export function valueOf(answer: Answer, name: string): string | undefined {
  return answer.fields.find(([key]) => key.toLowerCase() === name)?.[1];
}

function requestOf(line: string, { headers = [], host = HOST, body, jar, afterUpgrade }: Ask): RawRequest {
  const cookie = [...(jar ?? [])].map(([name, value]) => `${name}=${value}`).join('; ');
  const names = headers.map(([name]) => name.toLowerCase());
  const length =
    body === undefined || names.includes('transfer-encoding') ? [] : [['Content-Length', String(body.length)] as const];
  return {
    line,
    fields: [
      ...(host === null ? [] : [['Host', host] as const]),
      ...(cookie === '' ? [] : [['Cookie', cookie] as const]),
      ...headers,
      ...length,
    ],
    ...(body === undefined ? {} : { body }),
    ...(afterUpgrade === undefined ? {} : { afterUpgrade }),
  };
}

/** By name alone: each configuration has one path and one set of domains. RFC 6265 section 5.3 for what ends a cookie. */
function keepCookies(jar: Jar, answer: Answer): void {
  for (const [name, value] of answer.fields) {
    if (name.toLowerCase() !== 'set-cookie') continue;
    const [pair = '', ...attributes] = value.split('; ');
    const cookie = pair.slice(0, pair.indexOf('='));
    const expires = attributes.find((one) => /^expires=/i.test(one))?.slice('expires='.length);
    const isGone = attributes.some((one) => /^max-age=0$/i.test(one)) || Date.parse(expires ?? '') <= Date.now();
    if (isGone) jar.delete(cookie);
    else jar.set(cookie, pair.slice(cookie.length + 1));
  }
}

interface Callback {
  readonly line: string;
  readonly headers: readonly Field[];
  readonly body?: string;
}

/** What the browser sends back: a GET, or the POST of a form. */
async function visitProvider(location: string, person: string, password: string): Promise<Callback> {
  const visitor = createVisitor();
  let page = await visitor.send(location);
  // Refused before anybody could sign in, such as a scope that is not known.
  if (page.headers.location !== undefined) return { line: `GET ${pathOf(page.headers.location)}`, headers: [] };
  const form = readForm(page);
  const body = new URLSearchParams({ ...form.fields, username: person, password }).toString();
  page = await visitor.send(form.action, { method: 'POST', headers: FORM, body });
  if (page.headers.location !== undefined) return { line: `GET ${pathOf(page.headers.location)}`, headers: [] };
  return postBack(page);
}

const FORM = { 'content-type': 'application/x-www-form-urlencoded' };

function postBack(page: Visit): Callback {
  const form = readForm(page);
  const body = new URLSearchParams(form.fields).toString();
  return { line: `POST ${pathOf(form.action)}`, headers: [['Content-Type', FORM['content-type']]], body };
}

function pathOf(url: string): string {
  return url.slice(url.indexOf('/', url.indexOf('//') + 2));
}
