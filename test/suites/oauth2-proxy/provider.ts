/**
 * A small OpenID Connect provider with a sign-in form, for both programs at once. It takes whatever client
 * and redirect address it is asked with, as a test's registration would have them, and binds a code to both.
 * PKCE is checked where it is used (RFC 7636 section 4.6). Tokens name their person, so that they compare.
 */
import { generateKeyPairSync, hash, randomUUID, sign } from 'node:crypto';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PEOPLE } from './people.ts';

export const CLIENT_ID = 'front-door';
export const CLIENT_SECRET = 'secret-of-the-front-door';

export interface Provider {
  readonly issuer: string;
  /** `METHOD /path?query` of calls to it since the last time, without those of discovery. */
  readonly take: () => string[];
  readonly idToken: (person: string, claims?: Readonly<Record<string, unknown>>) => string;
  /** OpenID Connect Back-Channel Logout 1.0 section 2.4; `claims`: `sub` or `sid`. */
  readonly logoutToken: (claims: Readonly<Record<string, unknown>>) => string;
  readonly close: () => Promise<void>;
}

interface Issued {
  readonly query: URLSearchParams;
  readonly person: string;
}

type Send = (status: number, json: unknown) => void;

export async function startProvider(): Promise<Provider> {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const codes = new Map<string, Issued>();
  const refreshTokens = new Map<string, string>();
  let calls: string[] = [];
  let issuer = '';

  const jwt = (claims: Readonly<Record<string, unknown>>): string => {
    const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const input = `${encode({ alg: 'RS256', typ: 'JWT', kid: 'key-1' })}.${encode(claims)}`;
    return `${input}.${sign('sha256', Buffer.from(input), privateKey).toString('base64url')}`;
  };
  const idToken = (person: string, more: Readonly<Record<string, unknown>> = {}): string => {
    const now = Math.floor(Date.now() / 1_000);
    return jwt({ iss: issuer, aud: CLIENT_ID, iat: now, exp: now + 300, ...PEOPLE[person], ...more });
  };
  const tokens = (person: string, nonce: string | null): unknown => {
    const now = Math.floor(Date.now() / 1_000);
    const refresh = `rt-${randomUUID()}`;
    refreshTokens.set(refresh, person);
    return {
      access_token: jwt({
        iss: issuer,
        typ: 'Bearer',
        sub: PEOPLE[person]?.['sub'],
        exp: now + 300,
        jti: randomUUID(),
      }),
      token_type: 'Bearer',
      expires_in: 300,
      refresh_token: refresh,
      id_token: idToken(person, { sid: `sid-${person}`, ...(nonce === null ? {} : { nonce }) }),
    };
  };
  const redeem = (form: URLSearchParams, send: Send): void => {
    if (form.get('grant_type') === 'refresh_token') {
      const person = refreshTokens.get(form.get('refresh_token') ?? '');
      refreshTokens.delete(form.get('refresh_token') ?? '');
      if (person === undefined) send(400, { error: 'invalid_grant' });
      else send(200, tokens(person, null));
      return;
    }
    const code = form.get('code') ?? '';
    const issued = codes.get(code);
    codes.delete(code);
    const challenge = issued?.query.get('code_challenge') ?? null;
    const isProven = challenge === null || challenge === hash('sha256', form.get('code_verifier') ?? '', 'base64url');
    if (issued === undefined || !isProven || issued.query.get('redirect_uri') !== form.get('redirect_uri'))
      send(400, { error: 'invalid_grant', error_description: 'Code not valid' });
    else send(200, tokens(issued.person, issued.query.get('nonce')));
  };
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? '/', issuer);
    const body = await bodyOf(request);
    const send: Send = (status, json) => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(json));
    };
    if (!url.pathname.startsWith('/.well-known/') && url.pathname !== '/keys')
      calls.push(`${request.method} ${request.url}`);
    if (url.pathname === '/.well-known/openid-configuration') send(200, metadataOf(issuer));
    else if (url.pathname === '/keys' || url.pathname === '/.well-known/jwks.json')
      send(200, { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'key-1', use: 'sig', alg: 'RS256' }] });
    else if (url.pathname === '/token') redeem(new URLSearchParams(body), send);
    else if (url.pathname === '/userinfo') send(200, PEOPLE[personOf(request)] ?? {});
    else if (url.pathname === '/authorize' && request.method === 'GET') signInForm(url, response);
    else if (url.pathname === '/authorize') {
      const code = randomUUID();
      codes.set(code, { query: url.searchParams, person: new URLSearchParams(body).get('username') ?? '' });
      returnTo(url.searchParams, code, response);
    } else send(404, {});
  };
  const server = createServer((request, response) => void serve(request, response));
  await new Promise<void>((done) => {
    server.listen(0, '127.0.0.1', done);
  });
  issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    issuer,
    take() {
      const taken = calls;
      calls = [];
      return taken;
    },
    idToken,
    logoutToken(claims) {
      const now = Math.floor(Date.now() / 1_000);
      const events = { 'http://schemas.openid.net/event/backchannel-logout': {} };
      return jwt({ iss: issuer, aud: CLIENT_ID, iat: now, exp: now + 120, jti: randomUUID(), events, ...claims });
    },
    async close() {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}

function metadataOf(issuer: string): unknown {
  return {
    issuer,
    authorization_endpoint: `${issuer}/authorize`,
    token_endpoint: `${issuer}/token`,
    jwks_uri: `${issuer}/keys`,
    userinfo_endpoint: `${issuer}/userinfo`,
    end_session_endpoint: `${issuer}/logout`,
    response_types_supported: ['code'],
    response_modes_supported: ['query', 'form_post'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['RS256'],
    token_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post'],
    code_challenge_methods_supported: ['S256', 'plain'],
  };
}

function signInForm(url: URL, response: ServerResponse): void {
  const action = `${url.pathname}${url.search}`.replaceAll('&', '&amp;').replaceAll('"', '&quot;');
  const form = `<form method="post" action="${action}"><input name="username" value=""><input name="password" type="password"></form>`;
  response.writeHead(200, { 'content-type': 'text/html' }).end(form);
}

function returnTo(query: URLSearchParams, code: string, response: ServerResponse): void {
  const redirectUri = query.get('redirect_uri') ?? '';
  const state = query.get('state') ?? '';
  if (query.get('response_mode') === 'form_post') {
    const input = (name: string, value: string): string => `<input type="hidden" name="${name}" value="${value}">`;
    const form = `<form method="post" action="${redirectUri}">${input('code', code)}${input('state', state)}</form>`;
    response.writeHead(200, { 'content-type': 'text/html' }).end(form);
    return;
  }
  const back = new URL(redirectUri);
  back.searchParams.set('code', code);
  back.searchParams.set('state', state);
  response.writeHead(302, { location: back.href }).end();
}

function personOf(request: IncomingMessage): string {
  const [, payload = ''] = (request.headers.authorization ?? '').split('.');
  const { sub } = JSON.parse(Buffer.from(payload, 'base64url').toString() || '{}') as { readonly sub?: string };
  return Object.keys(PEOPLE).find((person) => PEOPLE[person]?.['sub'] === sub) ?? '';
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}
