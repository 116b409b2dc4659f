/** An app over raw TCP, or TLS, that does to each request what a test says, by the first segment of its path. */
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';

export interface Visit {
  readonly socket: Socket;
  /** Latin1, as far as it had come when the head was complete. */
  readonly bytes: string;
}

export type Script = (visit: Visit) => void;

export interface ScriptedApp {
  readonly port: number;
  /** Requests whose head was complete, by path. */
  readonly seen: string[];
  /** Connections that ended, by the path of their last request. */
  readonly closed: string[];
  /** Connections open now. */
  readonly open: () => number;
  readonly on: (segment: string, script: Script) => void;
  readonly close: () => Promise<void>;
}

/** `tls`: it speaks HTTPS by this certificate. */
export async function startScriptedApp(tls?: { readonly key: string; readonly cert: string }): Promise<ScriptedApp> {
  const scripts = new Map<string, Script>();
  const sockets = new Set<Socket>();
  const seen: string[] = [];
  const closed: string[] = [];
  const onConnection = (socket: Socket): void => {
    sockets.add(socket);
    let bytes = '';
    let path = '';
    socket.on('error', () => undefined);
    socket.on('close', () => {
      sockets.delete(socket);
      closed.push(path);
    });
    socket.on('data', (chunk: Buffer) => {
      bytes += chunk.toString('latin1');
      // What comes behind a request is its body: tests look at it themselves.
      if (!/^[A-Z]+ \//.test(bytes) || !bytes.includes('\r\n\r\n')) return;
      path = bytes.split(' ', 2)[1] ?? '';
      seen.push(path);
      const visit = { socket, bytes };
      bytes = '';
      scripts.get(path.split(/[/?]/)[1] ?? '')?.(visit);
    });
  };
  const server =
    tls === undefined
      ? createServer(onConnection)
      : createTlsServer({ ...tls, noDelay: true, ALPNProtocols: ['http/1.1'] }, onConnection);
  await new Promise<void>((done) => {
    server.listen(0, '127.0.0.1', done);
  });
  return {
    port: (server.address() as AddressInfo).port,
    seen,
    closed,
    open: () => sockets.size,
    on: (segment, script) => void scripts.set(segment, script),
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((done) => {
        server.close(done);
      });
    },
  };
}

/** Says it and keeps the connection. */
export const say =
  (text: string): Script =>
  ({ socket }) =>
    void socket.write(text, 'latin1');
