/** Opens a listening socket: an address, a unix socket, or one that systemd has opened already. */
import type { Server } from 'node:net';
import { listenError } from './listen-error.ts';

const BACKLOG = 4096;

export interface ListenOn {
  /** Null: all addresses. */
  readonly host: string | null;
  readonly port: number;
  readonly tls: boolean;
  /** A socket that is listening already (systemd). */
  readonly fd?: number;
  /** A unix socket, in place of host and port. */
  readonly path?: string;
  /** Shares the port with the other workers. */
  readonly reusePort?: boolean;
  /** What requests that come by it are told; as ListenerTraits says by default. */
  readonly redirectsToHttps?: boolean;
}

/** Begins to listen, or rejects with LISTEN_FAILED. */
export async function startListening(server: Server, on: ListenOn): Promise<void> {
  try {
    await tryListening(server, on, on.reusePort ?? false);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (on.reusePort !== true || (code !== 'ENOTSUP' && code !== 'EOPNOTSUPP')) throw listenError(on, error);
    await tryListening(server, on, false).catch((second: unknown) => {
      throw listenError(on, second);
    });
  }
}

function tryListening(server: Server, on: ListenOn, reusePort: boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (error: Error): void => reject(error);
    server.once('error', onError);
    const onListening = (): void => {
      server.off('error', onError);
      resolve();
    };
    const host = on.host === null ? {} : { host: on.host };
    if (on.path !== undefined) server.listen({ path: on.path, backlog: BACKLOG }, onListening);
    else if (on.fd === undefined) server.listen({ ...host, port: on.port, reusePort, backlog: BACKLOG }, onListening);
    else server.listen({ fd: on.fd, backlog: BACKLOG }, onListening);
  });
}
