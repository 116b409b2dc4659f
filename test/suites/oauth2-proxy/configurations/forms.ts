/** Parameters in each place where they may stand: in the query, in a form, in a field; once, twice, and in pieces. */
import { flow } from '../configuration.ts';
import { valueOf } from '../side.ts';
import type { Case, Configuration } from '../configuration.ts';
import type { Field } from '../raw-client.ts';
import type { Jar, Side } from '../side.ts';

const BROWSER: Field = ['Accept', 'text/html'];
const FORM = 'application/x-www-form-urlencoded';

interface Place {
  readonly query?: string;
  readonly form?: string;
  readonly said?: readonly string[];
}

const PLACES: Readonly<Record<string, Place>> = {
  query: { query: 'rd=%2Fq' },
  form: { form: 'rd=%2Ff' },
  both: { query: 'rd=%2Fq', form: 'rd=%2Ff' },
  header: { said: ['/h'] },
  'form-header': { form: 'rd=%2Ff', said: ['/h'] },
  'empty-form': { query: 'rd=%2Fq', form: 'rd=' },
  'bad-form': { query: 'rd=%2Fq', form: 'rd=https%3A%2F%2Fevil.test' },
  'upper-name': { query: 'RD=%2Fq' },
  'encoded-name': { query: '%72d=%2Fq' },
  'plus-space': { query: 'rd=%2Fq+a' },
  semicolon: { query: 'a=1;rd=%2Fq' },
  'semicolon-after': { query: 'rd=%2Fq;a=1' },
  broken: { query: 'rd=%zz' },
  'broken-other': { query: 'rd=%2Fq&a=%zz' },
  array: { query: 'rd[]=%2Fq' },
  hash: { query: 'rd=%2Fq%23frag' },
  'twice-escaped': { query: 'rd=%252Fq' },
  'header-absolute': { said: ['https://app.example.com/h'] },
  'header-twice': { said: ['/h1', '/h2'] },
  'header-own': { said: ['/oauth2/sign_out'] },
  'header-relative': { said: ['h'] },
  nul: { query: 'rd=%2Fa%00b' },
  utf8: { query: 'rd=%2F%C3%A4' },
  latin1: { query: 'rd=%2F%E4' },
};

const placeCase = (id: string, endpoint: string, method: string, { query = '', form, said = [] }: Place): Case =>
  flow(`${id}-${endpoint}-${method}`, async (side) => {
    const headers: Field[] = [BROWSER, ...said.map((text): Field => ['X-Auth-Request-Redirect', text])];
    if (form !== undefined) headers.push(['Content-Type', FORM]);
    const line = `${method} /oauth2/${endpoint}${query === '' ? '' : `?${query}`}`;
    const jar: Jar = new Map();
    const answer = await side.ask(line, { headers, jar, ...(form === undefined ? {} : { body: form }) }, '');
    const location = valueOf(answer, 'location');
    if (endpoint !== 'start' || location === undefined) return;
    const { callback } = await side.finish(location, 'alice', { jar });
    side.noteFact('lands', `${callback.status} at ${valueOf(callback, 'location')}`);
  });

export const placesOfRd: Configuration = {
  name: 'places-of-rd',
  env: { WHITELIST_DOMAINS: '.example.com' },
  cases: Object.entries(PLACES).flatMap(([id, place]) =>
    ['sign_in', 'start', 'sign_out'].flatMap((endpoint) => {
      const methods = place.form === undefined ? ['GET'] : ['GET', 'POST', 'PUT', 'PATCH'];
      return methods.map((method) => placeCase(id, endpoint, method, place));
    }),
  ),
};

interface Back {
  readonly method?: string;
  readonly query?: string;
  readonly form?: string;
  readonly type?: string;
}

const backCase = (id: string, back: Back): Case => flow(id, (side) => comeBack(side, back));

/** As from the provider, but `CODE` and `STATE` wherever they are wanted. */
async function comeBack(side: Side, { query = '', form, type = FORM, method = 'POST' }: Back): Promise<void> {
  const jar: Jar = new Map();
  const start = await side.ask('GET /oauth2/start?rd=%2Fx', { jar });
  const there = new URL(valueOf(start, 'location') ?? '');
  const credentials = new URLSearchParams({ username: 'alice', password: 'pw-alice' });
  const sent = await fetch(there, { method: 'POST', body: credentials, redirect: 'manual' });
  const { searchParams } = new URL(sent.headers.get('location') ?? '');
  const fill = (text: string): string =>
    text
      .replaceAll('CODE', encodeURIComponent(searchParams.get('code') ?? ''))
      .replaceAll('STATE', encodeURIComponent(searchParams.get('state') ?? ''));
  const line = `${form === undefined ? 'GET' : method} /oauth2/callback${query === '' ? '' : `?${fill(query)}`}`;
  const body = form === undefined ? {} : { headers: [['Content-Type', type] as const], body: fill(form) };
  await side.ask(line, { jar, ...body }, 'callback');
}

const WHOLE = 'code=CODE&state=STATE';

export const formsOfCallback: Configuration = {
  name: 'forms-of-callback',
  env: {},
  cases: [
    backCase('get', { query: WHOLE }),
    backCase('post', { form: WHOLE }),
    backCase('post-query', { query: WHOLE, form: '' }),
    backCase('post-code-in-query', { query: 'code=CODE', form: 'state=STATE' }),
    backCase('post-state-in-query', { query: 'state=STATE', form: 'code=CODE' }),
    backCase('post-both', { query: 'code=other&state=a:b', form: WHOLE }),
    backCase('post-text', { query: WHOLE, form: WHOLE, type: 'text/plain' }),
    backCase('post-text-alone', { form: WHOLE, type: 'text/plain' }),
    backCase('post-json', { query: WHOLE, form: '{}', type: 'application/json' }),
    backCase('post-error-in-query', { query: 'error=access_denied', form: WHOLE }),
    backCase('post-error-in-form', { query: WHOLE, form: 'error=access_denied' }),
    backCase('put', { form: WHOLE, method: 'PUT' }),
    backCase('patch', { form: WHOLE, method: 'PATCH' }),
    backCase('delete', { query: WHOLE, form: '', method: 'DELETE' }),
    backCase('semicolon', { query: `x=1;y=2&${WHOLE}` }),
    backCase('broken-other', { query: `x=%zz&${WHOLE}` }),
    backCase('broken-form', { form: `x=%zz&${WHOLE}` }),
    backCase('other-issuer', { query: `${WHOLE}&iss=https%3A%2F%2Fother.test` }),
    backCase('code-twice', { query: `${WHOLE}&code=x` }),
    backCase('more', { query: `${WHOLE}&session_state=abc&extra=1` }),
  ],
};
