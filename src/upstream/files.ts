/**
 * Static files of one folder. A name is looked up only after every symbolic link in it was followed
 * and found to stay inside; dot files do not exist. GET and HEAD, conditions and single ranges
 * (RFC 9110 sections 13 and 14). Does not list folders.
 */
import { constants } from 'node:fs';
import { open, realpath } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { basename, join, sep } from 'node:path';
import { contentTypeOf } from './content-types.ts';
import { edited } from './header-edits.ts';
import { conditionOf, rangeOf } from './file-conditions.ts';
import type { Range } from './file-conditions.ts';
import type { HeaderEdits } from '../config/document/hosts.ts';
import { PosternError } from '../core/errors.ts';
import type { BodySink, Exchange } from '../wire/exchange.ts';
import { HeaderBlock } from '../wire/header-block.ts';
import { DISCARD } from '../wire/http1-response.ts';

export interface FilesPlan {
  readonly root: string;
  /** Canonical, after strip_prefix and rewrite. */
  readonly path: string;
  readonly responseHeaders: HeaderEdits;
}

const CHUNK = 65_536;

/** Answers the exchange, always. */
export function serveFile(exchange: Exchange, plan: FilesPlan): void {
  const { method } = exchange.request;
  if (exchange.body.length !== 0) exchange.body.cancel();
  if (method !== 'GET' && method !== 'HEAD') {
    return refuse(exchange, plan, 405, 'Method not allowed', { Allow: 'GET, HEAD' });
  }
  answer(exchange, plan).catch((error: unknown) => {
    exchange.abort(new PosternError('INTERNAL', 'Cannot serve file', { path: plan.path }, error));
  });
}

async function answer(exchange: Exchange, plan: FilesPlan): Promise<void> {
  const segments = segmentsOf(plan.path);
  if (segments === null) return refuse(exchange, plan, 404, 'Not found');
  const found = await find(plan.root, segments, plan.path.endsWith('/'));
  if (found === null) return refuse(exchange, plan, 404, 'Not found');
  if (found === 'folder') return redirectToFolder(exchange, plan);
  try {
    await send(exchange, plan, found);
  } finally {
    await found.handle.close();
  }
}

/** Decoded names; null where one is hidden, climbs, or could be read as two. */
function segmentsOf(path: string): string[] | null {
  const segments: string[] = [];
  for (const part of path.split('/')) {
    if (part === '') continue;
    let name: string;
    try {
      name = decodeURIComponent(part);
    } catch {
      return null;
    }
    const isHidden = name.startsWith('.') && !(segments.length === 0 && name === '.well-known');
    if (isHidden || name.includes('/') || name.includes('\\') || name.includes('\0')) return null;
    segments.push(name);
  }
  return segments;
}

interface FoundFile {
  readonly handle: FileHandle;
  readonly name: string;
  readonly size: number;
  readonly mtimeMs: number;
}

async function find(root: string, segments: string[], isFolderAsked: boolean): Promise<FoundFile | 'folder' | null> {
  const realRoot = await realpathOrNull(root);
  if (realRoot === null) return null;
  const found = await openInside(realRoot, join(realRoot, ...segments));
  if (found !== 'folder') return isFolderAsked && found !== null ? closed(found) : found;
  if (!isFolderAsked && segments.length > 0) return found;
  const index = await openInside(realRoot, join(realRoot, ...segments, 'index.html'));
  return index === 'folder' ? null : index;
}

/** A file is not found under a name that ends in "/". */
async function closed(found: FoundFile): Promise<null> {
  await found.handle.close();
  return null;
}

async function openInside(realRoot: string, path: string): Promise<FoundFile | 'folder' | null> {
  const real = await realpathOrNull(path);
  if (real === null || !isInside(realRoot, real)) return null;
  let handle: FileHandle;
  try {
    // What became a link since realpath is not followed; a pipe does not hold us.
    handle = await open(real, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch {
    return null;
  }
  const stat = await handle.stat();
  if (stat.isFile()) return { handle, name: basename(path), size: stat.size, mtimeMs: stat.mtimeMs };
  await handle.close();
  return stat.isDirectory() ? 'folder' : null;
}

/** Below the root, and through no hidden folder that a link leads into. */
function isInside(realRoot: string, real: string): boolean {
  if (real === realRoot) return true;
  const prefix = realRoot.endsWith(sep) ? realRoot : realRoot + sep;
  if (!real.startsWith(prefix)) return false;
  const names = real.slice(prefix.length).split(sep);
  return names.every((name, at) => !name.startsWith('.') || (at === 0 && name === '.well-known'));
}

async function realpathOrNull(path: string): Promise<string | null> {
  try {
    return await realpath(path);
  } catch {
    return null;
  }
}

async function send(exchange: Exchange, plan: FilesPlan, file: FoundFile): Promise<void> {
  const etag = `"${file.size.toString(16)}-${Math.floor(file.mtimeMs).toString(16)}"`;
  const lastModified = new Date(file.mtimeMs).toUTCString();
  const headers = HeaderBlock.from({
    'Content-Type': contentTypeOf(file.name),
    'Last-Modified': lastModified,
    ETag: etag,
    'Accept-Ranges': 'bytes',
    'X-Content-Type-Options': 'nosniff',
  });
  edited(headers, plan.responseHeaders);
  const { request } = exchange;
  const version = { etag, mtimeMs: file.mtimeMs };
  const condition = conditionOf(request.headers, version);
  if (condition === 'unchanged') return exchange.respondWhole({ status: 304, headers }, '');
  if (condition === 'changed') return refuse(exchange, plan, 412, 'Precondition failed');
  // RFC 9110 section 14.2: ranges are of GET alone.
  const range = request.method === 'GET' ? rangeOf(request.headers, file.size, version) : null;
  if (range === 'unsatisfiable') {
    return refuse(exchange, plan, 416, 'Range not satisfiable', { 'Content-Range': `bytes */${file.size}` });
  }
  if (range !== null) headers.append('Content-Range', `bytes ${range.from}-${range.to - 1}/${file.size}`);
  const part = range ?? { from: 0, to: file.size };
  await stream(exchange, { status: range === null ? 200 : 206, headers }, file.handle, part);
}

// oxlint-disable-next-line max-params -- head and bytes of one answer
async function stream(
  exchange: Exchange,
  head: { status: number; headers: HeaderBlock },
  handle: FileHandle,
  { from, to }: Range,
): Promise<void> {
  let goOn: () => void = () => {};
  const client = { isGone: false };
  const previous = exchange.onClose;
  exchange.onClose = (outcome) => {
    client.isGone = true;
    goOn();
    previous?.(outcome);
  };
  const sink = exchange.respond(head, to - from, () => goOn());
  // The client left while the file was looked up: nobody is told of it any more.
  if (sink === DISCARD) return;
  if (exchange.request.method === 'HEAD') return sink.end(null);
  for (let at = from; at < to && !client.isGone;) {
    const buffer = Buffer.allocUnsafe(Math.min(CHUNK, to - at));
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, at);
    if (client.isGone) return;
    if (bytesRead === 0) return shrunk(sink);
    at += bytesRead;
    const waited = new Promise<void>((resolve) => (goOn = resolve));
    const canGoOn = sink.write(buffer.subarray(0, bytesRead));
    sink.flush();
    if (!canGoOn) await waited;
  }
  if (!client.isGone) sink.end(null);
}

function shrunk(sink: BodySink): void {
  sink.abort(new PosternError('UPSTREAM_TRUNCATED', 'Cannot send the rest of the file: it became shorter'));
}

/** Relative, so that it holds behind whatever prefix was stripped; one leading slash, so that it names no host. */
function redirectToFolder(exchange: Exchange, plan: FilesPlan): void {
  const { path, query } = exchange.request;
  refuse(exchange, plan, 308, 'Moved', { Location: `/${path.replace(/^\/+/, '')}/${query}` });
}

// oxlint-disable-next-line max-params -- the parts of a small answer
function refuse(
  exchange: Exchange,
  plan: FilesPlan,
  status: number,
  text: string,
  more: Record<string, string> = {},
): void {
  const headers = edited(
    HeaderBlock.from({ 'Content-Type': 'text/plain; charset=utf-8', ...more }),
    plan.responseHeaders,
  );
  exchange.respondWhole({ status, headers }, `${text}\n`);
}
