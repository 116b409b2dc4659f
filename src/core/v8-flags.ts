/** How V8 is to work in threads that serve. */
import { setFlagsFromString } from 'node:v8';

/**
 * V8 makes objects whose like have lived on where only a full collection comes. Under load it chose the plan
 * and the verdict of each request, and from there they kept all that hangs on them: a fifth of all garbage
 * survived. Nothing that a request makes lives longer than the request.
 */
const NO_PRETENURING = '--no-allocation-site-pretenuring';
/**
 * The heap is collected whole when it has grown by its own size. V8's own limit is a little above what lives: while
 * people connected a worker of 25 MB came to it every 1.6 s, which freed nothing and took the core for 20 to 45 ms.
 */
const WHOLE_AT_TWICE = '--heap-growing-percent=100';
/**
 * What lies outside of the heap counts to what lives, as what lies inside does. Node says 48 KB for each TLS connection,
 * and V8 takes what came since the last collection from the room that JavaScript has: with each five hundred people who
 * connected a worker of 20 MB was collected whole, and found nothing to free.
 */
const CONNECTIONS_ARE_NO_GARBAGE = '--external-memory-accounted-in-global-limit';

export const SERVING_V8_FLAGS: readonly string[] = [NO_PRETENURING, WHOLE_AT_TWICE, CONNECTIONS_ARE_NO_GARBAGE];

/** For this thread, and for those that are started after it. */
export function setServingFlags(): void {
  for (const flag of SERVING_V8_FLAGS) setFlagsFromString(flag);
}
