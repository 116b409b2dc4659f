/**
 * A path as it came, beside the canonical one. Endpoints are met by their exact spelling: `/oauth2/%61uth`
 * and `/oauth2/auth/` belong to the app. A path with empty or dot segments is redirected to its clean form
 * before anybody is asked who comes, as oauth2-proxy does.
 */
import type { RequestHead } from '../../wire/exchange.ts';

/** Without the query. */
export function ownPathOf({ target }: RequestHead): string {
  const question = target.indexOf('?');
  return question === -1 ? target : target.slice(0, question);
}

/** Where a request with a path that is not clean is sent; null: it is clean. The query stays byte for byte. */
export function cleanTargetOf(request: RequestHead): string | null {
  const { path, query, target } = request;
  // The canonical path is clean; what came is it, as a rule.
  if (target.length === path.length + query.length && target.startsWith(path)) return null;
  const own = ownPathOf(request);
  if (!isDirty(own)) return null;
  // The canonical path has one slash at its begin, so that a browser takes it for no other host.
  return `${path}${query}`;
}

function isDirty(path: string): boolean {
  return path.split('/').some((segment, at, all) => {
    if (segment === '') return at !== 0 && at !== all.length - 1;
    return segment === '.' || segment === '..';
  });
}
