/** Where people may be sent: the vectors of test/vectors, each over the page, the sign-in and the sign-out. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { flow, one } from '../configuration.ts';
import type { Case, Configuration } from '../configuration.ts';

const VECTORS = resolve(import.meta.dirname, '../../../vectors');

interface Validator {
  readonly whitelist_domains: readonly string[];
  readonly cases: readonly { readonly name: string; readonly rd: string; readonly valid: boolean }[];
}

const validator = JSON.parse(readFileSync(`${VECTORS}/redirect-validator.json`, 'utf8')) as Validator;
const lines = readFileSync(`${VECTORS}/open-redirects.txt`, 'utf8')
  .split('\n')
  .filter((line) => line !== '');
const slug = (text: string): string => text.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-');

/** As the page shows it, and as the sign-out follows it. */
function places(id: string, query: string): readonly Case[] {
  return [
    one(`${id}-sign-in`, `GET /oauth2/sign_in?rd=${query}`),
    one(`${id}-sign-out`, `GET /oauth2/sign_out?rd=${query}`),
  ];
}

/** Many lines in one case, so that a difference names its line. */
function lineCases(): Case[] {
  const size = 31;
  return Array.from({ length: Math.ceil(lines.length / size) }, (_, block) =>
    flow(`lines-${block * size + 1}`, async (side) => {
      for (const line of lines.slice(block * size, (block + 1) * size)) {
        const rd = line.replaceAll(' ', '%20').replaceAll('#', '%23').replaceAll('&', '%26').replaceAll('+', '%2B');
        const answer = await side.ask(`GET /oauth2/sign_out?rd=${latin1(rd)}`);
        const location = answer.fields.find(([name]) => name.toLowerCase() === 'location')?.[1] ?? '';
        side.noteFact(line, `${answer.status} to ${location}`);
      }
    }),
  );
}

function latin1(text: string): string {
  return Buffer.from(text).toString('latin1');
}

export const redirects: Configuration = {
  name: 'redirects',
  env: { WHITELIST_DOMAINS: validator.whitelist_domains.join(',') },
  cases: [
    ...validator.cases.flatMap(({ name, rd }) => places(slug(name), encodeURIComponent(rd))),
    ...lineCases(),
    ...places('userinfo', encodeURIComponent('https://foo.bar@evil.test/')),
    ...places('upper-host', encodeURIComponent('https://FOO.bar/x')),
    ...places('upper-scheme', encodeURIComponent('HTTPS://foo.bar/x')),
    ...places('trailing-dot', encodeURIComponent('https://foo.bar./x')),
    ...places('port-443', encodeURIComponent('https://foo.bar:443/x')),
    ...places('dots', encodeURIComponent('/a/b/../c?x=1')),
    ...places('double-slash', encodeURIComponent('/a//b')),
    ...places('slash-in-query', encodeURIComponent('/a?u=https://x.test/')),
    ...places('fragment', encodeURIComponent('/a#b')),
    ...places('utf8', encodeURIComponent('/größe?ü=1')),
    ...places('space', encodeURIComponent('/a b')),
    ...places('newline', encodeURIComponent('/a\r\nX-Evil: 1')),
    ...places('tab', encodeURIComponent('/\t/evil.test')),
    ...places('twice', '%2Ffirst&rd=%2Fsecond'),
    ...places('empty', ''),
    ...places('first-empty', '&rd=%2Fsecond'),
    one('post', 'POST /oauth2/sign_out', {
      body: 'rd=%2Fposted',
      headers: [['Content-Type', 'application/x-www-form-urlencoded']],
    }),
    one('header', 'GET /oauth2/sign_out', { headers: [['X-Auth-Request-Redirect', 'https://foo.bar/x']] }),
  ],
};

export const signOut: Configuration = {
  name: 'sign-out',
  env: {
    WHITELIST_DOMAINS: '127.0.0.1:*',
    BACKEND_LOGOUT_URL: '{issuer}/backend-logout?hint={id_token}',
    TRUSTED_IPS: '10.9.9.9',
  },
  cases: [
    flow('token', async (side) => {
      const { jar } = await side.signIn('alice');
      const rd = encodeURIComponent(`${side.issuer}/logout?id_token_hint={id_token}&x=1`);
      await side.ask(`GET /oauth2/sign_out?rd=${rd}`, { jar }, 'sign out');
      await side.ask('GET /oauth2/auth', { jar }, 'after');
    }),
    flow('token-stranger', async (side) => {
      const rd = encodeURIComponent(`${side.issuer}/logout?id_token_hint={id_token}`);
      await side.ask(`GET /oauth2/sign_out?rd=${rd}`, {}, 'sign out');
    }),
    flow('token-in-path', async (side) => {
      const { jar } = await side.signIn('alice');
      await side.ask(`GET /oauth2/sign_out?rd=${encodeURIComponent('/bye?{id_token}')}`, { jar }, 'sign out');
    }),
    one('post', 'POST /oauth2/sign_out', { as: 'alice', body: '' }),
    one('head', 'HEAD /oauth2/sign_out', { as: 'alice' }),
    one('delete', 'DELETE /oauth2/sign_out', { as: 'alice' }),
    one('cross-site', 'GET /oauth2/sign_out', {
      as: 'alice',
      headers: [
        ['Sec-Fetch-Site', 'cross-site'],
        ['Origin', 'https://evil.test'],
      ],
    }),
  ],
};
