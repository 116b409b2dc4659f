/** Joins two byte streams until either ends. */
import type { Duplex } from 'node:stream';

export function joinTunnel(
  client: Duplex,
  app: Duplex,
  options: { readonly idleMs: number; readonly onClose: (toApp: number, toClient: number) => void },
): { readonly close: () => void } {
  let toApp = 0;
  let toClient = 0;
  let isClosed = false;
  const close = (): void => {
    if (isClosed) return;
    isClosed = true;
    client.destroy();
    app.destroy();
    options.onClose(toApp, toClient);
  };
  client.on('data', (chunk: Buffer) => (toApp += chunk.length));
  app.on('data', (chunk: Buffer) => (toClient += chunk.length));
  client.pipe(app);
  app.pipe(client);
  for (const end of [client, app]) {
    end.on('error', close);
    end.on('close', close);
  }
  return { close };
}
