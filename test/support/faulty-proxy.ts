/**
 * Stands between an ACME client and its CA, and spoils what a test says: answers in the CA's place, loses the question
 * or the answer on the way, holds it back, or changes it. Everything else passes as it is, so that the CA's own checks
 * of URLs and signatures go on.
 */
import { Agent, createServer, request } from 'node:https';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface ProxiedAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export type Fault =
  /** What the client gets; the CA hears nothing. */
  | { readonly kind: 'answer'; readonly answer: Partial<ProxiedAnswer> }
  /** The connection breaks; `after`: when the CA has done what it was asked for. */
  | { readonly kind: 'reset'; readonly after?: boolean }
  /** The connection breaks in the middle of the answer. */
  | { readonly kind: 'cut' }
  /** Nobody answers. The CA has been asked. */
  | { readonly kind: 'hang' }
  /** What the CA answers, changed. */
  | { readonly kind: 'change'; readonly change: (answer: ProxiedAnswer) => Partial<ProxiedAnswer> };

export interface Asked {
  readonly method: string;
  readonly path: string;
  /** The signed payload as it was before; null where there is none. */
  readonly payload: unknown;
}

export interface FaultyProxy {
  /** Host and port, as in a URL. */
  readonly host: string;
  /** What happens to a request; null: nothing. */
  fault: (asked: Asked) => Fault | null;
  /** Where the CA is, for one that comes back as another. */
  target: string;
  readonly log: readonly Asked[];
  readonly stop: () => Promise<void>;
}

export interface ProxyPlace {
  /** 127.0.0.1 and a free port without it. */
  readonly address?: { readonly host: string; readonly port: number };
  /** Path of a request -> what the CA has it at. */
  readonly paths?: Readonly<Record<string, string>>;
  readonly cert: string;
  readonly key: string;
}

/** With the certificate that the CA's own API has: whoever trusts one trusts the other. */
export async function startFaultyProxy(target: string, place: ProxyPlace): Promise<FaultyProxy> {
  const { cert, key, address = { host: '127.0.0.1', port: 0 }, paths = {} } = place;
  const agent = new Agent({ rejectUnauthorized: false, keepAlive: true });
  const log: Asked[] = [];
  const server = createServer({ cert, key }, (req, res) => {
    req.url = paths[req.url ?? ''] ?? req.url;
    handle(proxy, { req, res, agent, log }).catch(() => res.destroy());
  });
  await new Promise<void>((done) => server.listen(address.port, address.host, done));
  const proxy: FaultyProxy = {
    host: `${address.host}:${(server.address() as AddressInfo).port}`,
    fault: () => null,
    target,
    log,
    async stop() {
      agent.destroy();
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
  return proxy;
}

interface Passing {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly agent: Agent;
  readonly log: Asked[];
}

async function handle(proxy: FaultyProxy, { req, res, agent, log }: Passing): Promise<void> {
  const body = await textOf(req);
  const asked = { method: req.method ?? '', path: req.url ?? '', payload: payloadOf(body) };
  log.push(asked);
  const fault = proxy.fault(asked);
  if (fault?.kind === 'answer') {
    send(res, { status: 200, headers: {}, body: '', ...fault.answer });
    return;
  }
  if (fault?.kind === 'reset' && fault.after !== true) {
    req.socket.destroy();
    return;
  }
  const answer = await pass(proxy.target, { req, body, agent });
  if (fault?.kind === 'hang') return;
  if (fault?.kind === 'reset') req.socket.destroy();
  else if (fault?.kind === 'cut') cut(res, answer);
  else send(res, fault === null ? answer : { ...answer, ...fault.change(answer) });
}

function send(res: ServerResponse, { status, headers, body }: ProxiedAnswer): void {
  const { 'content-length': _, 'transfer-encoding': __, connection: ___, ...rest } = headers;
  res.writeHead(status, { ...rest, ...(body === '' ? {} : { 'content-length': Buffer.byteLength(body) }) });
  res.end(body);
}

function cut(res: ServerResponse, { status, headers, body }: ProxiedAnswer): void {
  res.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) + 1 });
  res.write(body.slice(0, body.length / 2), () => res.destroy());
}

function pass(
  target: string,
  { req, body, agent }: { readonly req: IncomingMessage; readonly body: string; readonly agent: Agent },
): Promise<ProxiedAnswer> {
  return new Promise((resolve, reject) => {
    // The Host stays: the CA checks the signed URL against it, and makes its links of it.
    const { connection: _, ...headers } = req.headers;
    const out = request(new URL(req.url ?? '/', target), { method: req.method, headers, agent }, (res) => {
      textOf(res).then((text) => {
        resolve({ status: res.statusCode ?? 0, headers: res.headers, body: text });
      }, reject);
    });
    out.on('error', reject);
    out.end(body);
  });
}

async function textOf(stream: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

function payloadOf(body: string): unknown {
  if (body === '') return null;
  const { payload } = JSON.parse(body) as { payload: string };
  return payload === '' ? null : (JSON.parse(Buffer.from(payload, 'base64url').toString()) as unknown);
}
