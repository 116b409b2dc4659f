/**
 * The server side of HTTP/2 (RFC 9113, RFC 8441) on one socket, plain or TLS. Every stream becomes an
 * Exchange. Bounds what one client may cost: streams, heads, resets, frames that move nothing, memory, time.
 * A connection that abuses them ends with GOAWAY ENHANCE_YOUR_CALM. Broken requests get a 4xx that names the
 * rule, or a reset where nobody can say what they ask for. How it is built: http2/README.md.
 */
import type { Socket } from 'node:net';
import type { ConnectionFacts, HandleExchange } from './exchange.ts';
import { ServerConnection } from './http2/server-connection.ts';
import type { Http2Connection, Http2Settings } from './http2/settings.ts';

/** Serves HTTP/2 on a connected socket (plain or TLS) until it closes. */
// oxlint-disable-next-line max-params -- the four things that every codec is given
export function serveHttp2(
  socket: Socket,
  facts: ConnectionFacts,
  settings: Http2Settings,
  handle: HandleExchange,
): Http2Connection {
  const connection = new ServerConnection(socket, facts, settings, handle);
  connection.open();
  return connection;
}
