/**
 * Carries a request for one of Postern's own pages to the control thread and its answer back. The body
 * is small by nature: what is larger than 64 KiB is refused before it is kept.
 */
import { PosternError } from '../core/errors.ts';
import { HeaderBlock } from '../wire/header-block.ts';
import type { BodySink, BodySource, Exchange } from '../wire/exchange.ts';
import type { InternalRequest, InternalResponse } from './control-port.ts';
import type { RequestContext } from './request-context.ts';

const MAX_BODY = 64 * 1024;

export async function toInternalRequest(context: RequestContext): Promise<InternalRequest> {
  const { exchange, site } = context;
  const { request } = exchange;
  return {
    method: request.method,
    url: context.url,
    headers: [...request.headers].map(([name, value]) => [name, value] as const),
    body: await readBody(exchange.body),
    ip: context.ip,
    requestId: context.id,
    session: context.judged?.session ?? null,
    onSignInHost: request.host === site.signInHost,
  };
}

export function sendInternal(exchange: Exchange, response: InternalResponse): void {
  const headers = new HeaderBlock();
  for (const [name, value] of response.headers) headers.append(name, value);
  exchange.respondWhole({ status: response.status, headers }, Buffer.from(response.body));
}

/** The whole body; rejects with PAYLOAD_TOO_LARGE, or with the error that broke it. */
function readBody(source: BodySource): Promise<Uint8Array | null> {
  if (source.length === 0) return Promise.resolve(null);
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    let isRefused = source.length > MAX_BODY;
    const refuse = (): void => {
      source.cancel();
      reject(new PosternError('PAYLOAD_TOO_LARGE', 'Cannot read form: it is larger than 64 KiB'));
    };
    if (isRefused) {
      refuse();
      return;
    }
    const sink: BodySink = {
      write(chunk) {
        if (isRefused) return true;
        size += chunk.length;
        if (size > MAX_BODY) {
          isRefused = true;
          refuse();
        } else chunks.push(Buffer.from(chunk));
        return true;
      },
      flush: () => {},
      end: () => resolve(Buffer.concat(chunks)),
      abort: reject,
    };
    source.start(sink);
  });
}
