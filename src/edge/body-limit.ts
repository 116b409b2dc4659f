/** Applies a route's limits to the request body: 413 before a byte is read where the length is known. */
import type { RouteLimits } from '../config/document/limits.ts';
import { sendError } from './refuse.ts';
import type { RequestContext } from './request-context.ts';

/** False where the request was answered with 413. */
export function limitBody(context: RequestContext, limits: RouteLimits): boolean {
  const { exchange } = context;
  const { length } = exchange.body;
  if (length === 0) return true;
  const { maxBodyBytes, bodyIdleMs, minBodyRate } = limits;
  if (length > maxBodyBytes) {
    sendError(context, 413, 'PAYLOAD_TOO_LARGE');
    return false;
  }
  exchange.setBodyLimits?.({
    maxBodyBytes: Number.isFinite(maxBodyBytes) ? maxBodyBytes : -1,
    bodyIdleMs,
    minBodyRate,
  });
  return true;
}
