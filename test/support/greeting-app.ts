/** An app that says whom the gateway named to it, and answers each message on a WebSocket. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';

export interface GreetingApp {
  readonly port: number;
  readonly close: () => void;
}

export async function startGreetingApp(): Promise<GreetingApp> {
  const server = createServer((req, res) => res.end(`app for ${String(req.headers['x-forwarded-user'])}`));
  const sockets = new WebSocketServer({ server });
  sockets.on('connection', (socket) => socket.on('message', () => socket.send('echo')));
  await new Promise<void>((done) => {
    server.listen(0, '127.0.0.1', done);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
