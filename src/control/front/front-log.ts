/**
 * The lines of `postern forward-auth`: one for each request, one for each sign-in, and what an operator should
 * know. JSON, or readable on a terminal; the original's text where its templates are configured. Queries of
 * our own endpoints hold codes and are never written; tokens and cookies never are.
 */
import { createLineWriter } from '../../core/line-writer.ts';
import { createLogger, logFormatFor, visible } from '../../core/log.ts';
import { redactFacts, redactQuery, redactTokens } from '../../core/redact.ts';
import { createAccessLog } from '../../observe/access-log.ts';
import { compileLineTemplate, timestamp } from './line-template.ts';
import { openRotatingFile } from './rotating-file.ts';
import type { LineSink, OwnedLogger } from '../../core/log.ts';
import type { ServedRequest } from '../../forward-auth/serving/served-request.ts';
import type { FrontRequest } from '../../forward-auth/front-request.ts';
import type { LoggingSettings, PathSettings } from '../../forward-auth/settings.ts';
import type { ExchangeOutcome } from '../../wire/exchange.ts';
import type { AccessLog } from '../../observe/access-log.ts';

export interface SignInLine {
  readonly status: 'AuthSuccess' | 'AuthFailure' | 'AuthError';
  readonly request: FrontRequest;
  readonly username: string;
  readonly message: string;
  readonly facts?: object;
}

export interface FrontLog {
  readonly log: OwnedLogger;
  readonly request: (request: ServedRequest, outcome: ExchangeOutcome, durationMs: number) => void;
  readonly signIn: (line: SignInLine) => void;
  readonly flushSync: () => void;
  readonly close: () => Promise<void>;
}

const REQUEST_FIELDS = [
  'Client',
  'Host',
  'Protocol',
  'RequestDuration',
  'RequestID',
  'RequestMethod',
  'RequestURI',
  'ResponseSize',
  'StatusCode',
  'Timestamp',
  'Upstream',
  'UserAgent',
  'Username',
] as const;
const AUTH_FIELDS = [
  'Client',
  'Host',
  'Message',
  'Protocol',
  'RequestID',
  'RequestMethod',
  'Status',
  'Timestamp',
  'UserAgent',
  'Username',
] as const;
const STANDARD_FIELDS = ['File', 'Message', 'Timestamp'] as const;

const FLUSH_MS = 50;

/** The time of now, for templates. */
type Stamp = () => string;
type WriteRequest = (request: ServedRequest, outcome: ExchangeOutcome, durationMs: number) => void;

/** Throws CONFIG_INVALID for a template that cannot be read. */
export function openFrontLog(settings: LoggingSettings, paths: PathSettings): FrontLog {
  const file = settings.file === null ? null : openRotatingFile(settings.file);
  const format = file === null ? logFormatFor('auto', 1) : 'json';
  const destination: number | LineSink = file ?? 1;
  const accessLog = createAccessLog({ format, destination });
  const writer = file === null ? createLineWriter({ fd: 1, flushMs: FLUSH_MS }) : null;
  const sink: LineSink = file ?? (writer as LineSink);
  const stamp: Stamp = () => timestamp(Date.now(), settings.isUtc ?? false);
  const log = createStandardLog(settings, { format, destination, sink, stamp });
  const writeRequest =
    settings.requestFormat === null
      ? createRequestLines(accessLog, paths)
      : createRequestText(settings.requestFormat, sink, paths, stamp);
  const isExcluded = new Set(settings.excludedPaths);
  return {
    log,
    request(request, outcome, durationMs) {
      if (!settings.requests) return;
      const { path } = request.exchange.request;
      if ((settings.silencesPing && request.decision === 'ping') || isExcluded.has(path)) return;
      writeRequest(request, outcome, durationMs);
    },
    signIn: settings.auth ? createSignInLines(settings.authFormat, { sink, log, stamp }) : () => {},
    flushSync() {
      accessLog.flushSync();
      log.flushSync();
      writer?.flushSync();
      file?.flushSync();
    },
    async close() {
      await accessLog.close();
      await log.close();
      await writer?.close();
      await file?.close();
    },
  };
}

interface StandardOptions {
  readonly format: 'json' | 'pretty';
  readonly destination: number | LineSink;
  readonly sink: LineSink;
  readonly stamp: Stamp;
}

function createStandardLog(settings: LoggingSettings, options: StandardOptions): OwnedLogger {
  const { format, destination, sink, stamp } = options;
  const level = settings.standard ? 'info' : 'error';
  if (settings.standardFormat === null) return createLogger({ level, format, destination });
  const template = compileLineTemplate(settings.standardFormat, STANDARD_FIELDS, 'standard-logging-format');
  const write = (facts: object, message: string): void => {
    const more = Object.keys(facts).length === 0 ? '' : ` ${JSON.stringify(redactFacts(facts))}`;
    sink.write(`${template({ File: 'postern', Message: message + more, Timestamp: stamp() })}\n`);
  };
  const drop = (): void => {};
  const often = settings.standard ? write : drop;
  return { debug: drop, info: often, warn: often, error: write, flushSync: drop, close: () => Promise.resolve() };
}

/** A front proxy asks about a request of its own; in proxy mode the request speaks for itself. */
function isQuestion(request: ServedRequest, { prefix }: PathSettings): boolean {
  const { path } = request.exchange.request;
  return path === `${prefix}/auth` || path === `${prefix}/forward` || path.startsWith(`${prefix}/forward/`);
}

/** Who asked about what, as a front proxy says; else the request itself. */
function askedOf(request: ServedRequest, paths: PathSettings): { readonly path: string; readonly query: string } {
  const own = request.exchange.request;
  const { uri } = request.front;
  if (uri === null || !isQuestion(request, paths)) {
    return { path: own.path, query: isOwn(own.path, paths) ? '' : own.query };
  }
  const question = uri.indexOf('?');
  const path = question === -1 ? uri : uri.slice(0, question);
  return { path, query: question === -1 || isOwn(path, paths) ? '' : uri.slice(question) };
}

function isOwn(path: string, { prefix }: PathSettings): boolean {
  return path.startsWith(`${prefix}/`);
}

/** Endpoints by their name: what follows `/forward` is a path of an app. */
function routeOf(path: string, paths: PathSettings): string | null {
  if (!isOwn(path, paths)) return null;
  return path.startsWith(`${paths.prefix}/forward/`) ? `${paths.prefix}/forward` : path;
}

function whoOf({ session }: ServedRequest): string {
  if (session === null) return '-';
  return session.email === '' ? session.user : session.email;
}

function createRequestLines(accessLog: AccessLog, paths: PathSettings): WriteRequest {
  return (request, outcome, durationMs) => {
    const own = request.exchange.request;
    const { report } = request;
    accessLog.record({
      time: Date.now() - durationMs,
      requestId: request.id,
      ip: request.clientIp,
      method: (isQuestion(request, paths) ? request.front.method : null) ?? own.method,
      host: request.authority,
      ...askedOf(request, paths),
      version: own.version,
      status: outcome.status,
      bytesIn: outcome.bytesIn,
      bytesOut: outcome.bytesOut,
      durationMs,
      who: whoOf(request),
      route: routeOf(own.path, paths),
      rule: request.skipReason,
      decision: request.decision,
      reason: request.closedFor,
      shadow: null,
      upstream: report?.server ?? request.upstream,
      connectMs: report?.connectMs ?? null,
      firstByteMs: report?.firstByteMs ?? null,
      retries: report?.retries ?? 0,
      errorCode: report?.errorCode ?? null,
      tls: request.exchange.connection.tlsVersion,
      complete: outcome.complete,
    });
  };
}

function createRequestText(format: string, sink: LineSink, paths: PathSettings, stamp: Stamp): WriteRequest {
  const template = compileLineTemplate(format, REQUEST_FIELDS, 'request-logging-format');
  return (request, outcome, durationMs) => {
    const own = request.exchange.request;
    const { path, query } = askedOf(request, paths);
    const line = template({
      ...commonFields(request, stamp),
      Username: whoOf(request),
      RequestDuration: (durationMs / 1_000).toFixed(3),
      RequestURI: JSON.stringify(redactTokens(path + redactQuery(query))),
      ResponseSize: String(outcome.bytesOut),
      StatusCode: String(outcome.status),
      Upstream: request.report?.server ?? request.upstream ?? '-',
      RequestMethod: own.method,
    });
    sink.write(`${line}\n`);
  };
}

function commonFields(
  request: FrontRequest,
  stamp: Stamp,
): Record<'Client' | 'Host' | 'Protocol' | 'RequestID' | 'Timestamp' | 'UserAgent', string> {
  const { version, headers } = request.exchange.request;
  return {
    Client: request.clientIp ?? '-',
    Host: request.authority,
    Protocol: `HTTP/${version === '2' ? '2.0' : version}`,
    RequestID: request.id,
    Timestamp: stamp(),
    UserAgent: JSON.stringify(headers.get('user-agent') ?? ''),
  };
}

function createSignInLines(
  format: string | null,
  { sink, log, stamp }: { readonly sink: LineSink; readonly log: OwnedLogger; readonly stamp: Stamp },
): FrontLog['signIn'] {
  if (format === null) {
    return ({ status, request, username, message, facts = {} }) => {
      const line = { event: status, requestId: request.id, ip: request.clientIp, who: username, ...facts };
      if (status === 'AuthSuccess') log.info(line, message);
      else log.warn(line, message);
    };
  }
  const template = compileLineTemplate(format, AUTH_FIELDS, 'auth-logging-format');
  return ({ status, request, username, message }) => {
    const { method } = request.exchange.request;
    const fields = { ...commonFields(request, stamp), Message: message, Status: status, Username: visible(username) };
    sink.write(`${template({ ...fields, RequestMethod: method })}\n`);
  };
}
