/**
 * The control socket: `DATA/control.sock`, mode 600. Whoever may open it is an operator, so it asks
 * nobody to sign in. `POST /OPERATION` with a JSON object; answers lines of JSON: `{ progress }` for each step of
 * what takes its time, at last `{ value }` or `{ code, message }`. It never listens on TCP. The gateway may open it, too,
 * and be led here by a link where it looks for an app: whatever it passes on is refused.
 */
import { chmodSync, lstatSync, unlinkSync } from 'node:fs';
import { isAbsolute, join, relative } from 'node:path';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { PosternError } from '../core/errors.ts';
import type { ErrorCode } from '../core/errors.ts';

/** Not by an import: that evaluates the lazy parts of node:http, which every command would wait for. */
const { createServer, request } = process.getBuiltinModule('node:http');

/** Tells of a step while an operation runs. */
type Report = (progress: string) => void;
type Operations = Readonly<Record<string, (input: never, report: Report) => Promise<unknown>>>;

/** As the kernel has it, without the NUL at its end. */
const SOCKET_PATH_BYTES = 107;
const MAX_BODY = 1 << 20;
/** A reload of ten thousand hosts takes a second or two. */
const ANSWER_MS = 60_000;
/** What tells of its steps waits for others in between: a CA, a name server. */
const STEP_MS = 15 * 60_000;

export interface ControlSocket {
  readonly close: () => Promise<void>;
}

export function controlSocketPath(dataDir: string): string {
  const path = join(dataDir, 'control.sock');
  try {
    const fromHere = relative(process.cwd(), path);
    // The kernel takes 107 bytes; a path from here may be shorter.
    return fromHere.length < path.length ? fromHere : path;
  } catch (error) {
    // The folder that this was started in was removed.
    if (isAbsolute(path)) return path;
    throw error;
  }
}

function cannotOpen(path: string, cause: unknown): PosternError {
  const why =
    Buffer.byteLength(path) > SOCKET_PATH_BYTES
      ? `its path is longer than the ${SOCKET_PATH_BYTES} bytes that a socket may have; name a data folder with a shorter path`
      : (cause as Error).message;
  return new PosternError('LISTEN_FAILED', `Cannot open control socket "${path}": ${why}`, { path }, cause);
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
    throw cannotOpen(path, error);
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
    // A gateway says so of each request (RFC 9110 section 7.6.3), and no visitor can take it away.
    if (req.headers.via !== undefined) {
      throw new PosternError('OPERATION_REFUSED', `Cannot run "${name}": it came through a proxy, as no operator does`);
    }
    const operation = Object.hasOwn(operations, name) ? operations[name] : undefined;
    if (req.method !== 'POST' || operation === undefined) {
      throw new PosternError('OPERATION_REFUSED', `Cannot run "${name}": this version does not know it`);
    }
    const text = await readBody(req);
    const report = (progress: string): void => send(res, { progress });
    const value = await operation(JSON.parse(text === '' ? '{}' : text) as never, report);
    send(res, { value: value ?? null });
  } catch (error) {
    const code = error instanceof PosternError ? error.code : 'INTERNAL';
    send(res, { code, message: error instanceof Error ? error.message : String(error) });
  }
  res.end();
}

function send(res: ServerResponse, line: unknown): void {
  if (!res.headersSent) res.writeHead(200, { 'content-type': 'application/x-ndjson' });
  res.write(`${JSON.stringify(line)}\n`);
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

interface Line {
  readonly progress?: string;
  readonly value?: unknown;
  readonly code?: ErrorCode;
  readonly message?: string;
}

/** The last line is the answer; each one before tells of a step. */
async function readAnswer(res: IncomingMessage, onProgress: Report): Promise<unknown> {
  let rest = '';
  let last: Line = {};
  for await (const chunk of res.setEncoding('utf8') as AsyncIterable<string>) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const text of lines) {
      last = JSON.parse(text) as Line;
      if (last.progress !== undefined) onProgress(last.progress);
    }
  }
  if ('value' in last) return last.value;
  throw new PosternError(
    last.code ?? 'INTERNAL',
    last.message ?? 'Cannot read the answer of the control socket: it ended',
  );
}

/** Asks the running Postern. Rejects with CONTROL_UNAVAILABLE where none listens. */
export function askControl(dataDir: string, operation: string, input: unknown, onProgress?: Report): Promise<unknown> {
  const mostMs = onProgress === undefined ? ANSWER_MS : STEP_MS;
  return new Promise((resolve, reject) => {
    const req = request({ socketPath: controlSocketPath(dataDir), path: `/${operation}`, method: 'POST' }, (res) => {
      readAnswer(res, onProgress ?? (() => {})).then(resolve, reject);
    });
    req.setTimeout(mostMs, () => {
      const message = `Cannot reach control socket in "${dataDir}": Postern runs, but has not answered for ${mostMs / 1_000} s; look at its log`;
      reject(new PosternError('CONTROL_UNAVAILABLE', message, { cause: 'timeout' }));
      req.destroy();
    });
    req.on('error', (error: NodeJS.ErrnoException) => {
      const hint = HINTS[error.code ?? ''] ?? 'no Postern runs with this data folder';
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

const HINTS: Readonly<Record<string, string>> = {
  EACCES: 'it belongs to another user: run this as the user that Postern runs as',
  ECONNRESET: 'Postern runs but turned this away; see its log',
  EPIPE: 'Postern runs but turned this away; see its log',
  EAGAIN: 'Postern runs but takes no orders now; see its log',
};
