/**
 * Requests to a CA over HTTPS: extra roots where the document gives them, one time limit, a small answer,
 * no redirects. Knows nothing of ACME.
 */
import { Agent, request } from 'node:https';
import { getCACertificates } from 'node:tls';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';

export interface HttpsRequest {
  readonly method: 'GET' | 'HEAD' | 'POST';
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export class AnswerTooLarge extends RangeError {}

export interface HttpsAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface Https {
  /** Rejects where there is no whole answer. */
  readonly ask: (message: HttpsRequest, signal: AbortSignal) => Promise<HttpsAnswer>;
  readonly close: () => void;
}

export interface HttpsOptions {
  /** PEM of roots to trust besides the usual ones. */
  readonly roots: string | null;
  readonly userAgent: string;
}

const TIMEOUT_MS = 30_000;
const MAX_BYTES = 1 << 20;
const MAX_SOCKETS = 16;

export function createHttps({ roots, userAgent }: HttpsOptions): Https {
  const agent = new Agent({
    keepAlive: true,
    maxSockets: MAX_SOCKETS,
    ...(roots === null ? {} : { ca: [...getCACertificates('default'), roots] }),
  });
  return {
    ask: ({ method, url, headers, body }, signal) =>
      new Promise((resolve, reject) => {
        const limit = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]);
        const all = { ...headers, 'user-agent': userAgent, 'accept-language': 'en' };
        const req = request(url, { method, agent, headers: all, signal: limit }, (res) => {
          readWhole(res).then((text) => {
            resolve({ status: res.statusCode ?? 0, headers: res.headers, body: text });
          }, reject);
        });
        req.on('error', reject);
        req.end(body);
      }),
    close: () => agent.destroy(),
  };
}

async function readWhole(res: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of res as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BYTES) {
      res.destroy();
      throw new AnswerTooLarge('its answer is larger than 1 MiB');
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
