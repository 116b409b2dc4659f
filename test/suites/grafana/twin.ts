/**
 * A stand-in for Grafana, which no registry installs here: who a request comes from as its documents of auth.proxy and
 * auth.jwt say, its check of Origin against Host, its service accounts, and Live over WebSocket with its check of the
 * Origin against root_url. It knows nothing of dashboards.
 */
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { BlockList } from 'node:net';
import type { AddressInfo } from 'node:net';
import { createLocalJWKSet, jwtVerify } from 'jose';
import type { JSONWebKeySet, JWTPayload } from 'jose';
import { WebSocketServer } from 'ws';

export interface TwinSettings {
  readonly rootUrl: string;
  readonly proxy?: {
    readonly headerName: string;
    /** "Email:X-WEBAUTH-EMAIL Groups:X-WEBAUTH-GROUPS" */
    readonly headers: string;
    readonly whitelist: readonly string[];
  };
  readonly jwt?: {
    readonly headerName: string;
    readonly usernameClaim: string;
    readonly emailClaim: string;
    readonly expectClaims: Readonly<Record<string, string>>;
    readonly fetchKeys: () => Promise<JSONWebKeySet>;
    /** What `role_attribute_path` answers for the claims. */
    readonly roleOf: (claims: JWTPayload) => string;
  };
  readonly serviceAccounts?: Readonly<Record<string, string>>;
}

export interface GrafanaUser {
  readonly login: string;
  readonly email?: string | undefined;
  readonly orgRole?: string | undefined;
  readonly groups?: string | undefined;
}

export interface Twin {
  readonly port: number;
  /** Path and query of each request, as they came. */
  readonly seen: string[];
  readonly close: () => Promise<void>;
}

class Refusal extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

const ROLES = new Set(['None', 'Viewer', 'Editor', 'Admin']);

export async function startGrafanaTwin(settings: TwinSettings): Promise<Twin> {
  const seen: string[] = [];
  const authenticate = createAuthentication(settings);
  const server = createServer((req, res) => {
    seen.push(req.url ?? '');
    void answer(req, res, authenticate).catch((error: unknown) => {
      const status = error instanceof Refusal ? error.status : 500;
      res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify({ message: String(error) }));
    });
  });
  serveLive(server, settings, authenticate);
  await new Promise<void>((done) => {
    server.listen(0, '127.0.0.1', done);
  });
  return {
    port: (server.address() as AddressInfo).port,
    seen,
    close: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}

type Authenticate = (req: IncomingMessage) => Promise<GrafanaUser | null>;
/** Null where the request has nothing of its kind. */
type Client = (req: IncomingMessage) => Promise<GrafanaUser> | null;

/** In Grafana's order: a JWT, a service account, the proxy's field. The first that succeeds counts; after a failure the next is tried. */
function createAuthentication({ proxy, jwt, serviceAccounts = {} }: TwinSettings): Authenticate {
  let keys: Promise<JSONWebKeySet> | null = null;
  const byJwt: Client = (req) => {
    const token = jwt === undefined ? undefined : headerOf(req, jwt.headerName)?.replace(/^Bearer /, '');
    if (jwt === undefined || token === undefined) return null;
    return (keys ??= jwt.fetchKeys()).then((set) => byToken(token, jwt, set));
  };
  const byKey: Client = (req) => {
    const bearer = /^Bearer (glsa_.+)$/.exec(req.headers.authorization ?? '')?.[1];
    return bearer === undefined ? null : byServiceAccount(serviceAccounts[bearer]);
  };
  const byField: Client = (req) => {
    const name = proxy === undefined ? undefined : headerOf(req, proxy.headerName);
    return proxy === undefined || name === undefined ? null : byProxy(req, name, proxy);
  };
  return async (req) => {
    let failure: unknown = null;
    for (const client of [byJwt, byKey, byField]) {
      const user = await client(req)?.catch((error: unknown) => {
        failure ??= error;
        return null;
      });
      if (user !== null && user !== undefined) return user;
    }
    if (failure !== null) throw failure;
    return null;
  };
}

async function byServiceAccount(login: string | undefined): Promise<GrafanaUser> {
  if (login === undefined) throw new Refusal(401, 'Invalid API key');
  return { login };
}

async function byToken(
  token: string,
  jwt: NonNullable<TwinSettings['jwt']>,
  keys: JSONWebKeySet,
): Promise<GrafanaUser> {
  const { payload } = await jwtVerify(token, createLocalJWKSet(keys)).catch((error: unknown) => {
    throw new Refusal(401, `Invalid JWT: ${String(error)}`);
  });
  for (const [claim, wanted] of Object.entries(jwt.expectClaims)) {
    if (payload[claim] !== wanted) throw new Refusal(401, `Invalid JWT: ${claim}`);
  }
  const [login, email] = [payload[jwt.usernameClaim], payload[jwt.emailClaim]];
  if (typeof payload.sub !== 'string' || typeof login !== 'string') throw new Refusal(401, 'Invalid JWT: no login');
  const orgRole = jwt.roleOf(payload);
  if (!ROLES.has(orgRole)) throw new Refusal(401, 'Invalid role');
  return { login, orgRole, email: typeof email === 'string' ? email : undefined };
}

async function byProxy(
  req: IncomingMessage,
  login: string,
  proxy: NonNullable<TwinSettings['proxy']>,
): Promise<GrafanaUser> {
  const allowed = new BlockList();
  for (const address of proxy.whitelist) allowed.addAddress(address);
  if (proxy.whitelist.length > 0 && !allowed.check(req.socket.remoteAddress ?? ''))
    throw new Refusal(407, 'Request is not from the authentication proxy');
  const fields = new Map(
    proxy.headers.split(' ').map((pair): [string, string | undefined] => {
      const [field = '', name = ''] = pair.split(':');
      return [field, headerOf(req, name)];
    }),
  );
  const role = fields.get('Role');
  return {
    login,
    email: fields.get('Email'),
    groups: fields.get('Groups'),
    // What is no role of Grafana's counts as none; its case matters.
    orgRole: role !== undefined && ROLES.has(role) ? role : undefined,
  };
}

async function answer(req: IncomingMessage, res: ServerResponse, authenticate: Authenticate): Promise<void> {
  const { origin, host } = req.headers;
  const isSafe = req.method === 'GET' || req.method === 'HEAD';
  if (!isSafe && origin !== undefined && new URL(origin).hostname !== host?.replace(/:\d+$/, ''))
    throw new Refusal(403, 'origin not allowed');
  const user = await authenticate(req);
  if (user === null && req.url?.startsWith('/api/') === true) throw new Refusal(401, 'Unauthorized');
  if (user === null) {
    res.writeHead(302, { location: '/login' }).end();
    return;
  }
  const headers = { 'content-type': 'application/json', 'set-cookie': 'grafana_session=of-grafana; Path=/; HttpOnly' };
  res.writeHead(200, headers).end(JSON.stringify(user));
}

function serveLive(server: Server, { rootUrl }: TwinSettings, authenticate: Authenticate): void {
  const sockets = new WebSocketServer({ noServer: true });
  server.on('upgrade', (req, socket, head) => {
    const isRight = req.url?.startsWith('/api/live/ws') === true && req.headers.origin === new URL(rootUrl).origin;
    void authenticate(req)
      .catch(() => null)
      .then((user) => {
        if (!isRight || user === null) {
          socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
          return;
        }
        sockets.handleUpgrade(req, socket, head, (live) => {
          live.on('message', (data) => {
            live.send(`${user.login}: ${(data as Buffer).toString()}`);
          });
        });
      });
  });
}

function headerOf(req: IncomingMessage, name: string): string | undefined {
  const value = req.headers[name.toLowerCase()];
  return Array.isArray(value) ? value[0] : value;
}
