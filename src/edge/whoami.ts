/** The built-in app: shows who the visitor is and what an app would receive, with a live WebSocket beside it. */
import { createHash } from 'node:crypto';
import { HeaderBlock } from '../wire/header-block.ts';
import { ANONYMOUS } from '../policy/facts.ts';
import { answerWhoami, WHOAMI_SOCKET_PATH } from '../sign-in/whoami.ts';
import { whoamiSocket } from '../sign-in/whoami-socket.ts';
import type { Upstreams } from '../upstream/forward.ts';
import { buildRequestFields } from '../upstream/request-headers.ts';
import { planWith } from './forward-plan.ts';
import { sendBadRequest, sendPlain } from './refuse.ts';
import type { ProxyAction } from '../config/document/actions.ts';
import type { CompiledRoute } from '../route/table.ts';
import type { Exchange } from '../wire/exchange.ts';
import type { PlanDeps } from './forward-plan.ts';
import type { LongLived } from './long-lived.ts';
import type { RequestContext } from './request-context.ts';

interface WhoamiDeps extends PlanDeps {
  readonly longLived: LongLived;
  readonly upstreams: Pick<Upstreams, 'viaName'>;
}

/** RFC 6455 section 1.3. */
const WEBSOCKET_GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** Stands for "some app": only what it would receive is asked. */
const SOME_APP: ProxyAction = {
  kind: 'proxy',
  servers: [],
  balance: 'first',
  hostHeader: 'keep',
  tls: { verify: true, caFile: null, caPem: null, serverName: null, certificatePem: null, keyPem: null },
  health: null,
  maxFails: 0,
  failMs: 0,
  maxConnections: 0,
  at: [],
};

export function serveWhoami(context: RequestContext, deps: WhoamiDeps): void {
  const route = context.route as CompiledRoute;
  const { exchange } = context;
  const { request } = exchange;
  const path = route.targetPath(request.path);
  if (path === null) {
    sendBadRequest(context, 'path-after-prefix');
    return;
  }
  exchange.body.cancel();
  if (request.upgrade === 'websocket' && path === WHOAMI_SOCKET_PATH) {
    openSocket(context, deps);
    return;
  }
  const { judged } = context;
  const accept = request.headers.get('accept') ?? null;
  const answer = answerWhoami({
    method: request.method,
    path,
    query: request.query,
    host: request.host,
    requestId: context.id,
    base: request.path.endsWith(path) ? request.path.slice(0, -path.length) : '',
    identity: judged?.identity ?? ANONYMOUS,
    session: judged?.session ?? null,
    headers: fieldsForApp(context, route, path, deps),
    version: `HTTP/${request.version}`,
    tlsVersion: exchange.connection.tlsVersion,
    ip: context.ip,
    accept,
    acceptLanguage: request.headers.get('accept-language') ?? null,
    brand: context.site.document.signIn.branding,
  });
  sendPlain(context, answer);
}

function fieldsForApp(
  context: RequestContext,
  route: CompiledRoute,
  path: string,
  deps: WhoamiDeps,
): [name: string, value: string][] {
  const plan = planWith(SOME_APP, context, { route, path, tokens: null }, deps);
  const lines = buildRequestFields(context.exchange, plan, deps.upstreams.viaName)?.lines.text.split('\r\n') ?? [];
  const fields = lines
    .filter((line) => line !== '')
    .map((line): [string, string] => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon), line.slice(colon + 2)];
    });
  return [['Host', plan.hostHeader], ['X-Request-Id', plan.requestId], ...fields];
}

function openSocket(context: RequestContext, deps: WhoamiDeps): void {
  const { exchange } = context;
  const headers = acceptFields(exchange);
  if (headers === null) {
    sendBadRequest(context, 'websocket-handshake');
    return;
  }
  const duplex = exchange.acceptUpgrade({ status: 101, headers });
  const socket = whoamiSocket(duplex);
  deps.longLived.setTunnel(context, {
    end: socket.end,
    get bytesToApp() {
      return socket.bytesHeard();
    },
  });
}

/** RFC 8441 has no key to prove. */
function acceptFields({ request }: Exchange): HeaderBlock | null {
  const headers = new HeaderBlock();
  if (request.version === '2') return headers;
  const key = request.headers.get('sec-websocket-key');
  if (key === undefined || request.headers.get('sec-websocket-version') !== '13') return null;
  headers.append(
    'Sec-WebSocket-Accept',
    createHash('sha1')
      .update(key + WEBSOCKET_GUID)
      .digest('base64'),
  );
  return headers;
}
