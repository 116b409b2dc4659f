/**
 * Tells an HTTP/2 answer that an app completed from one that it reset with NO_ERROR on the way, which the
 * runtime ends alike. RFC 9113 section 8.1 has that code behind END_STREAM alone; before it, the answer is cut.
 */
import { subscribe } from 'node:diagnostics_channel';
import type { ClientHttp2Stream } from 'node:http2';

/** Streams that closed without their end. */
const cut = new WeakSet<object>();

interface Closing {
  readonly stream: ClientHttp2Stream & { readonly _readableState: { readonly ended: boolean } };
}

// Told before the runtime ends the stream by itself: what has an end by now had END_STREAM.
subscribe('http2.client.stream.close', (message) => {
  const { stream } = message as Closing;
  if (!stream._readableState.ended) cut.add(stream);
});

/** Whether a stream that has ended closed before the app said that its answer was complete. */
export function wasCut(stream: ClientHttp2Stream): boolean {
  return cut.has(stream);
}
