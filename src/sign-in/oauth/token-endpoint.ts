/**
 * The token endpoint (RFC 6749 sections 4.1.3, 5 and 6). Takes JSON, and forms from those who came before the
 * RFC. Which way a client names itself is tried where the provider does not say, and remembered.
 */
import type { Clock } from '../../core/clock.ts';
import type { ProviderHttp } from '../provider-http.ts';
import { isMap, type Claims } from './json.ts';
import { OAuthError, Outage, Refusal } from './failures.ts';

export interface TokenSet {
  readonly accessToken: string;
  readonly idToken: string | null;
  readonly refreshToken: string | null;
  /** Milliseconds since the epoch; null: not said. */
  readonly expiresOn: number | null;
}

/** What a client adds to a request to show who it is. */
export interface Proof {
  readonly headers: Readonly<Record<string, string>>;
  readonly form: Readonly<Record<string, string>>;
}

export type ClientAuth = (tokenUrl: string) => Proof | Promise<Proof>;

/** RFC 6749 section 2.3.1: both parts are form-encoded before they are joined. */
export function basicAuth(clientId: string, secret: () => string): ClientAuth {
  return () => {
    const [id, password] = [clientId, secret()].map((text) => new URLSearchParams({ '': text }).toString().slice(1));
    return { headers: { authorization: `Basic ${Buffer.from(`${id}:${password}`).toString('base64')}` }, form: {} };
  };
}

export function postAuth(clientId: string, secret: () => string): ClientAuth {
  return () => ({ headers: {}, form: { client_id: clientId, client_secret: secret() } });
}

/** A public client: only says who it is. */
export function noAuth(clientId: string): ClientAuth {
  return () => ({ headers: {}, form: { client_id: clientId } });
}

/** RFC 7523 section 2.2: a signed statement instead of a secret. */
export function assertionAuth(clientId: string, sign: (tokenUrl: string) => Promise<string>): ClientAuth {
  return async (tokenUrl) => ({
    headers: {},
    form: {
      client_id: clientId,
      client_assertion: await sign(tokenUrl),
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    },
  });
}

export interface TokenRequest {
  readonly url: string;
  readonly form: Readonly<Record<string, string>>;
  /** In the order to try them; the first that worked is taken next time. */
  readonly ways: readonly ClientAuth[];
}

export interface TokenEndpoint {
  readonly ask: (request: TokenRequest) => Promise<TokenSet>;
}

/** Keycloak says the second of a wrong secret. */
const UNKNOWN_CLIENT: ReadonlySet<string> = new Set(['invalid_client', 'unauthorized_client']);

export function createTokenEndpoint(http: ProviderHttp, clock: Clock): TokenEndpoint {
  let worked: ClientAuth | null = null;
  const askBy = async (way: ClientAuth, { url, form }: TokenRequest): Promise<TokenSet> => {
    const proof = await way(url);
    const response = await http.fetch(url, {
      method: 'POST',
      headers: {
        accept: 'application/json',
        'content-type': 'application/x-www-form-urlencoded',
        ...proof.headers,
      },
      body: new URLSearchParams({ ...form, ...proof.form }),
    });
    return readTokens(await readAnswer(response), clock);
  };
  return {
    async ask(request) {
      const ways = worked !== null && request.ways.includes(worked) ? [worked] : request.ways;
      for (const [index, way] of ways.entries()) {
        try {
          const tokens = await askBy(way, request);
          worked = way;
          return tokens;
        } catch (error) {
          // A client that is refused has not used its code up.
          const isLast = index + 1 === ways.length;
          if (isLast || !(error instanceof OAuthError && UNKNOWN_CLIENT.has(error.error))) throw error;
        }
      }
      throw new Refusal('there is no way for the client to show who it is');
    },
  };
}

async function readAnswer(response: Response): Promise<Claims> {
  const { status } = response;
  if (status >= 500 || status === 429) throw new Outage(`the token endpoint answered ${status}`);
  const body = parseBody(await response.text());
  const error = body?.['error'];
  if (typeof error === 'string' && error !== '') {
    const description = body?.['error_description'];
    throw new OAuthError(error, typeof description === 'string' ? description : null);
  }
  if (status === 401) throw new OAuthError('invalid_client', null);
  if (status !== 200 && status !== 201) throw new Refusal(`the token endpoint answered ${status}`);
  if (body === null) throw new Refusal('the token endpoint answered neither JSON nor a form');
  return body;
}

function parseBody(text: string): Claims | null {
  try {
    const value: unknown = JSON.parse(text);
    return isMap(value) ? value : null;
  } catch {
    const form = new URLSearchParams(text.slice(0, 20_000));
    return form.has('access_token') || form.has('error') ? Object.fromEntries(form) : null;
  }
}

/** RFC 6749 appendix A: visible characters and spaces, so that none can end a header. */
const TOKEN = /^[\u0020-\u007e]+$/;
/** Three hundred years: what is longer is no time. */
const MOST_SECONDS = 1e10;

function readTokens(body: Claims, clock: Clock): TokenSet {
  const { access_token: access, id_token: id, refresh_token: refresh, token_type: type } = body;
  if (typeof access !== 'string' || !TOKEN.test(access)) throw new Refusal('the token endpoint gave no access token');
  // A token bound to a key could not be used as a bearer (RFC 6749 section 7.1).
  const isBearer = typeof type !== 'string' || type === '' || ['bearer', 'token'].includes(type.toLowerCase());
  if (!isBearer) throw new Refusal('the token endpoint gave a token of a type that is not "Bearer"');
  return {
    accessToken: access,
    idToken: typeof id === 'string' && TOKEN.test(id) ? id : null,
    refreshToken: typeof refresh === 'string' && TOKEN.test(refresh) ? refresh : null,
    expiresOn: expiryOf(body, clock),
  };
}

/** `expires_on` is what Azure's first version says. Some write numbers as text. */
function expiryOf(body: Claims, clock: Clock): number | null {
  const seconds = numberOf(body['expires_in']);
  if (seconds !== null && seconds > 0) return clock.now() + seconds * 1_000;
  const at = numberOf(body['expires_on']);
  return at !== null && at > 0 ? at * 1_000 : null;
}

function numberOf(value: unknown): number | null {
  const number = typeof value === 'string' && value !== '' ? Number(value) : value;
  return typeof number === 'number' && Math.abs(number) < MOST_SECONDS ? number : null;
}
