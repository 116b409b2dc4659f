/**
 * Finds out whether an address is free before the workers share it: with SO_REUSEPORT the kernel would let
 * a second Postern of the same user listen beside the first, and spread visitors over both.
 */
import net from 'node:net';
import { listenError } from './listen-error.ts';

/** Rejects with LISTEN_FAILED where another program has the address. */
export function assertAddressFree({
  host,
  port,
}: {
  readonly host: string | null;
  readonly port: number;
}): Promise<void> {
  if (port === 0) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.once('error', (error) => reject(listenError({ host, port }, error)));
    server.listen({ port, exclusive: true, ...(host === null ? {} : { host }) }, () => server.close(() => resolve()));
  });
}
