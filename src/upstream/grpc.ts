/**
 * Failures as a gRPC client understands them: status 200 with the gRPC status in the header
 * ("trailers-only"), since it does not look at others.
 */
import type { PosternError } from '../core/errors.ts';
import type { Exchange } from '../wire/exchange.ts';
import { HeaderBlock } from '../wire/header-block.ts';

const UNAVAILABLE = '14';
const STATUS: Readonly<Record<string, string>> = {
  UPSTREAM_TIMEOUT: '4',
  UPSTREAM_BUSY: '8',
  OVERLOADED: '8',
  PAYLOAD_TOO_LARGE: '8',
  UPSTREAM_BAD_RESPONSE: '13',
  LOOP_DETECTED: '13',
  INTERNAL: '13',
  BAD_REQUEST: '3',
};

export function isGrpc(headers: HeaderBlock): boolean {
  const type = headers.get('content-type');
  if (type === undefined || !type.startsWith('application/grpc')) return false;
  const next = type[16];
  return next === undefined || next === '+' || next === ';';
}

/** Says which kind of failure it was, and not which server or why. */
export function respondGrpcError(exchange: Exchange, error: PosternError): void {
  const headers = HeaderBlock.from({
    'content-type': 'application/grpc',
    'grpc-status': STATUS[error.code] ?? UNAVAILABLE,
    'grpc-message': error.code,
  });
  exchange.respondWhole({ status: 200, headers }, '');
}
