/**
 * A CA in the process, for tests that need weeks to pass or a CA to be gone: it speaks as much of ACME as an order
 * needs, checks every signature and nonce, and signs with a root of its own. Its validations always succeed.
 */
import { createPublicKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import { flattenedVerify, importJWK, type FlattenedJWSInput, type JWK } from 'jose';
import { readChildren, readElement } from '../der-reader.ts';
import { writeLeaf, writeRoot } from '../x509-writer.ts';
import type { Https, HttpsAnswer, HttpsRequest } from '../acme/https.ts';
import type { Clock } from '../../core/clock.ts';

export interface FakeCa {
  readonly directory: string;
  readonly https: Https;
  /** Names of what was issued, in order. */
  readonly issued: string[];
  /** `replaces` of the orders, in order. */
  readonly replaces: (string | undefined)[];
  readonly orders: () => number;
  /** Null: it works. Else every request ends so. */
  trouble: HttpsAnswer | Error | null;
  /** Called before each request is answered. */
  onRequest: ((message: HttpsRequest) => void) | null;
  window: { start: number; end: number } | null;
  /** Of the CA's clock before that of its client. */
  aheadMs: number;
  /** Names that it puts into a certificate in place of the one that was asked for. */
  mistaken: ((asked: string) => string) | null;
  /** False: certificates come without that of their issuer. */
  sendsIssuer: boolean;
  /** URLs of accounts that were ended. */
  readonly deactivated: Set<string>;
  /** The first order comes to the certificate of the second. */
  readonly swap: (at: number, other: number) => void;
  /** The order has come to nothing. */
  readonly spoil: (at: number) => void;
}

interface FakeOrder {
  readonly name: string;
  status: string;
  certificate: string | null;
}

// oxlint-disable-next-line max-lines-per-function -- one CA: its steps share keys, nonces and orders
export function createFakeCa(host: string, clock: Clock, lifeMs: number): FakeCa {
  const base = `https://${host}`;
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const commonName = `Root of ${host}`;
  const nonces = new Set<string>();
  const accounts = new Map<string, JWK>();
  const orders: FakeOrder[] = [];

  const ca: FakeCa = {
    directory: `${base}/dir`,
    issued: [],
    replaces: [],
    orders: () => orders.length,
    trouble: null,
    onRequest: null,
    window: null,
    aheadMs: 0,
    mistaken: null,
    sendsIssuer: true,
    deactivated: new Set(),
    swap: (at, other) => {
      const order = orders[at];
      if (order !== undefined) Object.assign(order, { status: 'valid', certificate: orders[other]?.certificate });
    },
    spoil: (at) => {
      const order = orders[at];
      if (order !== undefined) order.status = 'invalid';
    },
    https: { ask: (message) => answer(message), close: () => {} },
  };

  const reply = (status: number, body: unknown, headers: Record<string, string> = {}): HttpsAnswer => {
    const nonce = randomBytes(16).toString('base64url');
    nonces.add(nonce);
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    return { status, body: text, headers: { 'replay-nonce': nonce, ...headers } };
  };
  const refuse = (status: number, type: string, detail = type): HttpsAnswer =>
    reply(status, { type: `urn:ietf:params:acme:error:${type}`, detail });
  const orderBody = (at: number): object => {
    const { name, status, certificate } = orders[at] as FakeOrder;
    return {
      status,
      identifiers: [{ type: 'dns', value: name }],
      authorizations: [`${base}/authz/${at}`],
      finalize: `${base}/finalize/${at}`,
      ...(certificate === null ? {} : { certificate: `${base}/cert/${at}` }),
    };
  };
  const authzBody = (at: number): object => {
    const { name, status } = orders[at] as FakeOrder;
    const token = Buffer.from(`token of order ${at}`).toString('base64url');
    const state = status === 'pending' ? 'pending' : 'valid';
    const challenge = { type: 'http-01', url: `${base}/challenge/${at}`, status: state, token };
    return { status: state, identifier: { type: 'dns', value: name }, challenges: [challenge] };
  };

  async function answer(message: HttpsRequest): Promise<HttpsAnswer> {
    ca.onRequest?.(message);
    if (ca.trouble instanceof Error) throw ca.trouble;
    if (ca.trouble !== null) return ca.trouble;
    const [, kind = '', id = ''] = new URL(message.url).pathname.split('/');
    if (message.method === 'HEAD') return reply(200, '');
    if (kind === 'dir') return reply(200, directoryBody(base));
    if (kind === 'ari') return ca.window === null ? refuse(404, 'malformed') : reply(200, windowBody(ca.window));
    const jws = JSON.parse(message.body ?? '') as FlattenedJWSInput;
    const header = JSON.parse(Buffer.from(jws.protected ?? '', 'base64url').toString()) as Record<string, unknown>;
    if (!nonces.delete(String(header['nonce']))) return refuse(400, 'badNonce');
    const jwk = (header['jwk'] as JWK | undefined) ?? accounts.get(String(header['kid']));
    if (jwk === undefined) return refuse(400, 'accountDoesNotExist');
    if (ca.deactivated.has(String(header['kid']))) return refuse(401, 'unauthorized', 'account is deactivated');
    if (header['url'] !== message.url) return refuse(400, 'unauthorized');
    const { payload } = await flattenedVerify(jws, await importJWK(jwk, 'ES256'));
    const body = payload.length === 0 ? null : (JSON.parse(Buffer.from(payload).toString()) as Record<string, unknown>);
    return act(kind, Number(id), body, jwk);
  }

  // oxlint-disable-next-line max-params -- a request, taken apart
  function act(kind: string, at: number, body: Record<string, unknown> | null, jwk: JWK): HttpsAnswer {
    const found = orders[at];
    switch (kind) {
      case 'account': {
        const url = `${base}/me/${String(jwk.x)}`;
        accounts.set(url, jwk);
        return reply(201, { status: 'valid' }, { location: url });
      }
      case 'me':
        return reply(200, { status: 'valid' });
      case 'order': {
        if (body === null) return reply(200, orderBody(at));
        const [first] = body['identifiers'] as { value: string }[];
        ca.replaces.push(body['replaces'] as string | undefined);
        orders.push({ name: first?.value ?? '', status: 'pending', certificate: null });
        return reply(201, orderBody(orders.length - 1), { location: `${base}/order/${orders.length - 1}` });
      }
      case 'authz':
        return reply(200, authzBody(at));
      case 'challenge':
        if (found !== undefined) found.status = 'ready';
        return reply(200, (authzBody(at) as { challenges: object[] }).challenges[0] ?? {});
      case 'finalize':
        if (found?.status !== 'ready') return refuse(403, 'orderNotReady');
        found.certificate = sign(found.name, String(body?.['csr']));
        found.status = 'valid';
        return reply(200, orderBody(at));
      case 'cert':
        return reply(200, found?.certificate ?? '');
      default:
        return refuse(404, 'malformed');
    }
  }

  function sign(name: string, csr: string): string {
    const request = readElement(Buffer.from(csr, 'base64url'), 0);
    const toBeSigned = readChildren(request.content)[0]?.content ?? Buffer.alloc(0);
    const [version, subject, spki] = readChildren(toBeSigned);
    const start = (version?.end ?? 0) + ((subject?.end ?? 0) - (version?.end ?? 0));
    const publicKey = createPublicKey({ key: toBeSigned.subarray(start, spki?.end), format: 'der', type: 'spki' });
    ca.issued.push(name);
    const now = clock.now() + ca.aheadMs;
    const validity = { notBefore: now, notAfter: now + lifeMs };
    const written = ca.mistaken?.(name) ?? name;
    const leaf = writeLeaf({ ...validity, name: written, publicKey, issuer: { commonName, ...keys } });
    if (!ca.sendsIssuer) return leaf;
    return leaf + writeRoot({ ...validity, commonName, permitted: ['example.com'], ...keys });
  }

  return ca;
}

function directoryBody(base: string): object {
  return {
    newNonce: `${base}/nonce`,
    newAccount: `${base}/account`,
    newOrder: `${base}/order`,
    revokeCert: `${base}/revoke`,
    keyChange: `${base}/key`,
    renewalInfo: `${base}/ari`,
  };
}

function windowBody({ start, end }: { start: number; end: number }): object {
  return { suggestedWindow: { start: new Date(start).toISOString(), end: new Date(end).toISOString() } };
}
