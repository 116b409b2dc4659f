/**
 * A provider that follows the protocol to the letter, with real keys, and can be told to break it in one
 * place: what an attacker, or a sloppy provider, would send. For tests; no sockets but loopback.
 */
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { TwinGrants } from './_twin-grants.ts';
import { jwkOf, makeKey, signJwt, type Claims, type Header, type TwinKey } from './_twin-keys.ts';

export interface Twin {
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: string;
  /** Who signs in next, and what the tokens say. */
  claims: Claims;
  /** What userinfo says; `sub` is added. */
  userinfo: Claims | null;
  /** What userinfo answers about a person instead; null: it is as above. */
  userinfoError: (subject: string) => { readonly status: number; readonly challenge?: string } | null;
  /** The userinfo answer is a JWT with these claims on top. */
  signedUserinfo: Claims | null;
  /** The last word on the discovery document. */
  describe: (metadata: Record<string, unknown>) => Record<string, unknown>;
  /** How a client has to name itself. */
  clientAuth: 'basic' | 'post' | 'assertion';
  /** Whether a statement that a client signed is right (RFC 7523). */
  checkAssertion: (assertion: string) => boolean;
  /** Whatever else the provider's API answers, by path as it was sent; null: 404. */
  api: (request: ApiRequest) => ApiAnswer | null;
  /** What Graph says of the groups, a page each; null: it refuses. */
  graphPages: readonly (readonly string[])[] | null;
  /** What Graph answers everybody instead: 0 hangs up. */
  graphStatus: number | null;
  /** Where Graph's next page is said to be instead. */
  graphLink: string | null;
  /** Claims of the access token, which is a JWT then. */
  accessClaims: Claims | null;
  /** The last word on an ID token: header, claims, or the whole text. */
  tamper: (parts: { header: Header; claims: Claims }) => { header: Header; claims: Claims } | string;
  /** Parameters added to every authorization answer, e.g. another `iss`. */
  answer: Record<string, string>;
  /** The provider answers with this error instead of a code. */
  error: string | null;
  /** What it says of it. */
  errorDescription: string;
  /** The token endpoint answers so. */
  tokenError: { readonly status: number; readonly body: Record<string, unknown> } | null;
  /** Adds seconds to every time in tokens. */
  clockOffset: number;
  expiresIn: number;
  /** False: no refresh token. */
  givesRefreshToken: boolean;
  /** True: the refresh answer has no ID token. */
  refreshesSilently: boolean;
  /** The one that is registered, as far as `/authorize` looks at it. */
  redirectUri: string;
  /** What `/authorize` shows before it has looked at anything: an address that it leads to, a status (0: it hangs up), or null. */
  firstStep: (query: URLSearchParams) => string | number | null;
  /** Scopes that are known; others get invalid_scope. */
  scopes: readonly string[];
  /** People by `sub`: `/authorize` with `&as=SUB` signs one in, and a refresh says this. Others are `claims`. */
  people: ReadonlyMap<string, Claims>;
  readonly requests: string[];
  readonly refreshes: () => number;
  /** Good refreshes by `sub`, and refresh tokens that came once more after they were used. */
  readonly refreshesOf: ReadonlyMap<string, number>;
  readonly reused: () => number;
  readonly authorizations: URLSearchParams[];
  readonly rotateKeys: () => void;
  /** A refresh token, of nobody in particular where nobody is named. */
  readonly issueRefreshToken: (subject?: string) => string;
  readonly signLogout: (claims: Claims, header?: Header) => string;
  readonly sign: (claims: Claims, header?: Header, key?: TwinKey) => string;
  readonly key: () => TwinKey;
  /** Plays the person at the provider: from the authorization request to the callback address. */
  readonly visit: (authorizationUrl: string) => string;
  readonly stop: () => Promise<void>;
  readonly start: () => Promise<void>;
}

export interface ApiRequest {
  readonly method: string;
  /** Not decoded. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  /** Of `Authorization: Bearer`. */
  readonly token: string;
}

export interface ApiAnswer {
  readonly status: number;
  readonly body: unknown;
}

export async function startTwin(
  options: { readonly name?: string; readonly issParameter?: boolean } = {},
): Promise<Twin> {
  const twin = new TwinServer(options.issParameter ?? true, options.name ?? 'twin');
  await twin.start();
  return twin;
}

class TwinServer implements Twin {
  issuer = '';
  readonly clientId: string;
  readonly clientSecret = 'twin secret/+%';
  claims: Claims = { sub: 'sub-alice', preferred_username: 'alice', email: 'alice@example.com', email_verified: true };
  userinfo: Claims | null = null;
  userinfoError: Twin['userinfoError'] = () => null;
  signedUserinfo: Claims | null = null;
  describe: Twin['describe'] = (metadata) => metadata;
  clientAuth: Twin['clientAuth'] = 'basic';
  checkAssertion: Twin['checkAssertion'] = () => false;
  api: Twin['api'] = () => null;
  accessClaims: Claims | null = null;
  graphPages: readonly (readonly string[])[] | null = null;
  graphStatus: number | null = null;
  graphLink: string | null = null;
  tamper: Twin['tamper'] = (parts) => parts;
  answer: Record<string, string> = {};
  error: string | null = null;
  errorDescription = 'Told to';
  tokenError: Twin['tokenError'] = null;
  clockOffset = 0;
  expiresIn = 300;
  givesRefreshToken = true;
  refreshesSilently = false;
  redirectUri = 'https://auth.example.com/.postern/callback/keycloak';
  firstStep: Twin['firstStep'] = () => null;
  scopes: readonly string[] = ['openid', 'profile', 'email', 'offline_access'];
  people: Twin['people'] = new Map();
  readonly requests: string[] = [];
  readonly refreshesOf: ReadonlyMap<string, number>;
  readonly authorizations: URLSearchParams[] = [];
  readonly #issParameter: boolean;
  readonly #grants = new TwinGrants();
  /** Whose each is, where userinfo is asked. */
  readonly #accessTokens = new Map<string, string>();
  #keys: TwinKey[] = [makeKey('key-1')];
  #server: Server | null = null;
  #port = 0;

  constructor(issParameter: boolean, name: string) {
    this.#issParameter = issParameter;
    this.clientId = `client-of-${name}`;
    this.refreshesOf = this.#grants.refreshesOf;
  }

  refreshes = (): number => this.#grants.refreshes;
  reused = (): number => this.#grants.reused;
  key = (): TwinKey => this.#keys[0] as TwinKey;

  rotateKeys = (): void => {
    this.#keys = [makeKey(`key-${randomUUID()}`)];
  };

  start = async (): Promise<void> => {
    const server = createServer((request, response) => void this.#serve(request, response));
    await new Promise<void>((done) => {
      server.listen(this.#port, '127.0.0.1', done);
    });
    this.#server = server;
    this.#port = (server.address() as AddressInfo).port;
    this.issuer = `http://127.0.0.1:${this.#port}`;
  };

  stop = async (): Promise<void> => {
    this.#server?.closeAllConnections();
    await new Promise((done) => this.#server?.close(done) ?? done(null));
    this.#server = null;
  };

  visit = (authorizationUrl: string): string => {
    const query = new URL(authorizationUrl).searchParams;
    this.authorizations.push(query);
    const back = new URL(query.get('redirect_uri') ?? '');
    back.searchParams.set('state', query.get('state') ?? '');
    const unknown = (query.get('scope') ?? '').split(' ').find((scope) => !this.scopes.includes(scope));
    const error = this.error ?? (unknown === undefined ? null : 'invalid_scope');
    if (error === null) back.searchParams.set('code', this.#grants.issueCode(query, this.claims));
    else {
      back.searchParams.set('error', error);
      back.searchParams.set(
        'error_description',
        unknown === undefined ? this.errorDescription : `Invalid scopes: ${unknown}`,
      );
    }
    if (this.#issParameter) back.searchParams.set('iss', this.issuer);
    for (const [name, value] of Object.entries(this.answer)) back.searchParams.set(name, value);
    return back.href;
  };

  issueRefreshToken = (subject = ''): string => this.#grants.issueRefreshToken(subject);

  sign = (claims: Claims, header: Header = {}, key: TwinKey = this.key()): string => signJwt(claims, header, key);

  signLogout = (claims: Claims, header: Header = {}): string => {
    const now = this.#seconds();
    const own = {
      iss: this.issuer,
      aud: this.clientId,
      iat: now,
      exp: now + 120,
      jti: randomUUID(),
      events: { 'http://schemas.openid.net/event/backchannel-logout': {} },
    };
    const all = { ...own, ...claims };
    const given = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
    return this.sign(given, { typ: 'logout+jwt', ...header });
  };

  #seconds(): number {
    return Math.floor(Date.now() / 1_000) + this.clockOffset;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = new URL(request.url ?? '/', this.issuer).pathname;
    this.requests.push(`${request.method} ${path}`);
    const body = await readBody(request);
    const send = (status: number, json: unknown): void => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(json));
    };
    if (path.endsWith('/.well-known/openid-configuration')) send(200, this.describe(this.#metadata()));
    else if (path === '/keys') send(200, { keys: this.#keys.map(jwkOf) });
    else if (path === '/token') this.#token(request, new URLSearchParams(body), send);
    else if (path === '/authorize') this.#authorize(new URL(request.url ?? '/', this.issuer).href, response);
    else if (path === '/graph' && this.graphStatus === 0) response.destroy();
    else if (path === '/graph') this.#graph(request, send);
    else if (path === '/userinfo') this.#userinfo(request, response, send);
    else this.#api({ request, path, body }, send);
  }

  #api(
    { request, path, body }: { readonly request: IncomingMessage; readonly path: string; readonly body: string },
    send: (status: number, json: unknown) => void,
  ): void {
    const { headers, method = '' } = request;
    const query = new URL(request.url ?? '/', this.issuer).searchParams;
    const token = (headers.authorization ?? '').replace(/^Bearer /, '');
    const answer = this.api({ method, path, query, headers, body, token });
    send(answer?.status ?? 404, answer?.body ?? {});
  }

  #userinfo(request: IncomingMessage, response: ServerResponse, send: (status: number, json: unknown) => void): void {
    const subject = this.#accessTokens.get((request.headers.authorization ?? '').replace(/^Bearer /, ''));
    const error = subject === undefined ? null : this.userinfoError(subject);
    if (error !== null) {
      const { status, challenge } = error;
      response.writeHead(status, challenge === undefined ? {} : { 'www-authenticate': challenge }).end();
      return;
    }
    const claims = { sub: this.claims['sub'], ...this.userinfo };
    if (this.signedUserinfo === null) {
      send(200, claims);
      return;
    }
    const { alg, ...own } = this.signedUserinfo;
    const signed = this.sign({ ...claims, ...own }, alg === undefined ? {} : { alg });
    response.writeHead(200, { 'content-type': 'application/jwt' }).end(signed);
  }

  /** Groups alone of all that somebody is in are an advanced query to it: it wants to be told so twice. */
  #graph({ url: target, headers }: IncomingMessage, send: (status: number, json: unknown) => void): void {
    const url = new URL(target ?? '/', this.issuer);
    if (this.graphStatus !== null) {
      send(this.graphStatus, { error: { code: 'TooManyRequests' } });
      return;
    }
    if (url.searchParams.get('$count') !== 'true' || headers['consistencylevel'] !== 'eventual') {
      send(400, { error: { code: 'Request_UnsupportedQuery' } });
      return;
    }
    const page = Number(url.searchParams.get('$skiptoken') ?? 0);
    const pages = this.graphPages;
    if (pages === null) {
      send(403, { error: { code: 'Authorization_RequestDenied' } });
      return;
    }
    const next = new URL(url);
    next.searchParams.set('$skiptoken', String(page + 1));
    const link = page + 1 < pages.length ? { '@odata.nextLink': this.graphLink ?? next.href } : {};
    send(200, { value: (pages[page] ?? []).map((id) => ({ id })), ...link });
  }

  /** What a browser sees before anybody has typed anything. */
  #authorize(url: string, response: ServerResponse): void {
    const query = new URL(url).searchParams;
    const first = this.firstStep(query);
    if (first !== null) {
      if (first === 0) response.destroy();
      else if (typeof first === 'number') response.writeHead(first, { 'content-type': 'text/html' }).end();
      else response.writeHead(302, { location: first }).end();
      return;
    }
    if (query.get('client_id') !== this.clientId || query.get('redirect_uri') !== this.redirectUri) {
      response.writeHead(400, { 'content-type': 'text/html' }).end('Invalid parameter: redirect_uri');
      return;
    }
    const unknown = (query.get('scope') ?? '').split(' ').some((scope) => !this.scopes.includes(scope));
    const person = this.people.get(query.get('as') ?? '');
    if (person !== undefined) {
      this.claims = person;
      response.writeHead(302, { location: this.visit(url) }).end();
    } else if (unknown || this.error !== null) response.writeHead(302, { location: this.visit(url) }).end();
    else response.writeHead(200, { 'content-type': 'text/html' }).end('<form>');
  }

  #metadata(): Record<string, unknown> {
    return {
      issuer: this.issuer,
      authorization_endpoint: `${this.issuer}/authorize`,
      token_endpoint: `${this.issuer}/token`,
      jwks_uri: `${this.issuer}/keys`,
      end_session_endpoint: `${this.issuer}/logout`,
      ...(this.userinfo === null ? {} : { userinfo_endpoint: `${this.issuer}/userinfo` }),
      response_types_supported: ['code'],
      subject_types_supported: ['public'],
      // As sloppy providers list them: what is taken is ours to say.
      id_token_signing_alg_values_supported: ['RS256', 'HS256', 'none'],
      token_endpoint_auth_methods_supported: [
        this.clientAuth === 'assertion' ? 'private_key_jwt' : `client_secret_${this.clientAuth}`,
      ],
      code_challenge_methods_supported: ['S256'],
      authorization_response_iss_parameter_supported: this.#issParameter,
    };
  }

  #token(request: IncomingMessage, form: URLSearchParams, send: (status: number, json: unknown) => void): void {
    if (this.tokenError !== null) {
      send(this.tokenError.status, this.tokenError.body);
      return;
    }
    if (!this.#isClient(request, form)) {
      send(401, { error: 'invalid_client' });
      return;
    }
    const isRefresh = form.get('grant_type') === 'refresh_token';
    const claims = isRefresh ? this.#redeemRefresh(form) : this.#grants.redeemCode(form);
    if (claims === null) send(400, { error: 'invalid_grant', error_description: 'Code not valid' });
    else send(200, this.#tokens(claims, isRefresh));
  }

  #isClient(request: IncomingMessage, form: URLSearchParams): boolean {
    if (this.clientAuth === 'assertion') return this.checkAssertion(form.get('client_assertion') ?? '');
    if (this.clientAuth === 'post')
      return form.get('client_id') === this.clientId && form.get('client_secret') === this.clientSecret;
    const [scheme, value = ''] = (request.headers.authorization ?? '').split(' ');
    const [id = '', secret = ''] = Buffer.from(value, 'base64').toString().split(':');
    const read = (text: string): string => decodeURIComponent(text.replaceAll('+', ' '));
    return scheme === 'Basic' && read(id) === this.clientId && read(secret) === this.clientSecret;
  }

  #redeemRefresh(form: URLSearchParams): Claims | null {
    const subject = this.#grants.redeemRefreshToken(form.get('refresh_token') ?? '');
    return subject === null ? null : (this.people.get(subject) ?? this.claims);
  }

  #tokens(given: Claims, isRefresh: boolean): unknown {
    const now = this.#seconds();
    const own = { iss: this.issuer, aud: this.clientId, iat: now, exp: now + 300 };
    const claims: Claims = { ...own, ...given };
    const tampered = this.tamper({ header: {}, claims });
    const idToken = typeof tampered === 'string' ? tampered : this.sign(tampered.claims, tampered.header);
    const access = {
      iss: this.issuer,
      azp: this.clientId,
      sub: given['sub'],
      exp: now + 300,
      ...this.accessClaims,
    };
    const refreshToken = this.#grants.issueRefreshToken(String(given['sub']));
    const accessToken = this.accessClaims === null ? randomUUID() : this.sign(access);
    if (this.userinfo !== null) this.#accessTokens.set(accessToken, String(given['sub']));
    return {
      access_token: accessToken,
      token_type: 'Bearer',
      expires_in: this.expiresIn,
      ...(isRefresh && this.refreshesSilently ? {} : { id_token: idToken }),
      ...(this.givesRefreshToken ? { refresh_token: refreshToken } : {}),
    };
  }
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}
