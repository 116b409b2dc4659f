/**
 * The control socket: `DATA/control.sock`, mode 600. Whoever may open it is an operator, so it asks
 * nobody to sign in. `POST /OPERATION` with a JSON object; answers `{ value }` or `{ code, message }`.
 * It never listens on TCP.
 */
import { createServer, request } from 'node:http';
import { chmodSync, lstatSync, unlinkSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { PosternError } from '../core/errors.ts';
import type { ErrorCode } from '../core/errors.ts';

type Operations = Readonly<Record<string, (input: never) => Promise<unknown>>>;

const MAX_BODY = 1 << 20;
/** A reload of ten thousand hosts takes a second or two. */
const ANSWER_MS = 60_000;

export interface ControlSocket {
  readonly close: () => Promise<void>;
}

export function controlSocketPath(dataDir: string): string {
  const path = join(dataDir, 'control.sock');
  const fromHere = relative(process.cwd(), path);
  // The kernel takes 107 bytes; a path from here may be shorter.
  return fromHere.length < path.length ? fromHere : path;
}

export async function openControlSocket(dataDir: string, operations: Operations): Promise<ControlSocket> {
  const path = controlSocketPath(dataDir);
  removeStale(path);
  const server = createServer((req, res) => {
    void answer(operations, req, res);
  });
  const before = process.umask(0o177);
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(path, resolve);
    });
  } catch (error) {
    throw new PosternError(
      'LISTEN_FAILED',
      `Cannot open control socket "${path}": ${(error as Error).message}`,
      { path },
      error,
    );
  } finally {
    process.umask(before);
  }
  chmodSync(path, 0o600);
  return {
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

/** The data folder's lock says that nobody else runs, so a socket that is there is a dead one. */
function removeStale(path: string): void {
  try {
    if (lstatSync(path).isSocket()) unlinkSync(path);
  } catch {
    // There is none.
  }
}

async function answer(operations: Operations, req: IncomingMessage, res: ServerResponse): Promise<void> {
  try {
    const name = (req.url ?? '/').slice(1);
    const operation = Object.hasOwn(operations, name) ? operations[name] : undefined;
    if (req.method !== 'POST' || operation === undefined) {
      throw new PosternError('OPERATION_REFUSED', `Cannot run "${name}": this version does not know it`);
    }
    const text = await readBody(req);
    const value = await operation(JSON.parse(text === '' ? '{}' : text) as never);
    send(res, 200, { value: value ?? null });
  } catch (error) {
    const code = error instanceof PosternError ? error.code : 'INTERNAL';
    send(res, 400, { code, message: error instanceof Error ? error.message : String(error) });
  }
}

function send(res: ServerResponse, status: number, body: unknown): void {
  res.writeHead(status, { 'content-type': 'application/json' });
  res.end(JSON.stringify(body));
}

async function readBody(req: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of req) {
    size += chunk.length;
    if (size > MAX_BODY) throw new PosternError('OPERATION_REFUSED', 'Cannot read operation: it is larger than 1 MiB');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

/** Asks the running Postern. Rejects with CONTROL_UNAVAILABLE where none listens. */
export function askControl(dataDir: string, operation: string, input: unknown): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const req = request({ socketPath: controlSocketPath(dataDir), path: `/${operation}`, method: 'POST' }, (res) => {
      readBody(res).then((text) => {
        const body = JSON.parse(text) as { value?: unknown; code?: ErrorCode; message?: string };
        if (res.statusCode === 200) resolve(body.value);
        else
          reject(
            new PosternError(body.code ?? 'INTERNAL', body.message ?? 'Cannot read the answer of the control socket'),
          );
      }, reject);
    });
    req.setTimeout(ANSWER_MS, () => {
      const message = `Cannot reach control socket in "${dataDir}": Postern runs, but has not answered for ${ANSWER_MS / 1_000} s; look at its log`;
      reject(new PosternError('CONTROL_UNAVAILABLE', message, { cause: 'timeout' }));
      req.destroy();
    });
    req.on('error', (error: NodeJS.ErrnoException) => {
      const hint =
        error.code === 'EACCES'
          ? 'it belongs to another user: run this as the user that Postern runs as'
          : 'no Postern runs with this data folder';
      reject(
        new PosternError(
          'CONTROL_UNAVAILABLE',
          `Cannot reach control socket in "${dataDir}": ${hint}`,
          { cause: error.code },
          error,
        ),
      );
    });
    req.end(JSON.stringify(input));
  });
}
