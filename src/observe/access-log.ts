/**
 * One line a request: who asked what, which rule decided, who answered and how long it took. Built by hand,
 * since it is on the hot path of every request. Secrets of queries are masked, queries of
 * Postern's own pages never written; no byte of a request can end a line or reach a terminal raw.
 * When nobody reads, lines are dropped and counted: the log never holds up a request.
 */
import { isatty } from 'node:tty';
import { createLineWriter } from '../core/line-writer.ts';
import { visible, type LineSink, type LogFormat } from '../core/log.ts';
import { redactQuery, redactTokens } from '../core/redact.ts';
import type { ErrorCode } from '../core/errors.ts';
import type { Identity } from '../core/person.ts';

export interface AccessEntry {
  /** Milliseconds since the epoch, when the request's head was complete. */
  readonly time: number;
  readonly requestId: string;
  readonly ip: string | null;
  readonly method: string;
  readonly host: string;
  readonly path: string;
  /** With its "?", or "". */
  readonly query: string;
  readonly version: string;
  readonly status: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly durationMs: number;
  /** See whoOf. */
  readonly who: string;
  readonly route: string | null;
  readonly rule: string | null;
  readonly decision: string | null;
  /** Why, as a stable code. */
  readonly reason: string | null;
  /** What rules on trial would have decided, where that is something else. */
  readonly shadow: { readonly kind: string; readonly rule: string } | null;
  /** On the sign-in host: where whoever is refused wanted to go. Decision, rule and reason are of that. */
  readonly wanted?: { readonly host: string; readonly path: string; readonly query: string } | null;
  readonly upstream: string | null;
  readonly connectMs: number | null;
  readonly firstByteMs: number | null;
  readonly retries: number;
  readonly errorCode: ErrorCode | null;
  readonly tls: string | null;
  /** False where the client went away before the answer was complete. */
  readonly complete: boolean;
}

export interface AccessLog {
  readonly record: (entry: AccessEntry) => void;
  /** Lines that were lost because nobody took them. */
  readonly dropped: () => number;
  readonly flushSync: () => void;
  readonly close: () => Promise<void>;
}

export interface AccessLogOptions {
  readonly format: LogFormat;
  /** A descriptor (1: standard output), or a sink of one's own. */
  readonly destination: number | LineSink;
  readonly flushBytes?: number;
  readonly flushMs?: number;
}

export function createAccessLog(options: AccessLogOptions): AccessLog {
  const { destination, format, flushBytes = 16_384 } = options;
  // A person at a terminal waits for the line.
  const { flushMs = format === 'pretty' ? 20 : 200 } = options;
  const writer = typeof destination === 'number' ? createLineWriter({ fd: destination, flushBytes, flushMs }) : null;
  const sink = writer ?? (destination as LineSink);
  const hasColour = typeof destination === 'number' && isatty(destination) && process.env['NO_COLOR'] === undefined;
  const lineOf = format === 'json' ? accessLine : (entry: AccessEntry): string => accessLineForPeople(entry, hasColour);
  return {
    record: (entry) => void sink.write(lineOf(entry)),
    dropped: () => writer?.dropped() ?? 0,
    flushSync: () => writer?.flushSync(),
    close: async () => writer?.close(),
  };
}

/** "local:alice", "service:promtail", "-". */
export function whoOf(identity: Identity): string {
  if (identity.kind === 'person') return nameOfPerson(identity.person);
  return identity.kind === 'anonymous' ? '-' : `${identity.kind}:${identity.name}`;
}

export function nameOfPerson({ provider, name }: { readonly provider: string; readonly name: string }): string {
  return `${provider}:${name}`;
}

const TARGET_MAX = 2048;
const TEXT_MAX = 256;
/** What JSON text must escape, and what a terminal would act on. */
const UNSAFE = /[^ !#-[\]-~]/;
const OWN_PATHS = '/.postern';

/** One line of JSON with its "\n". Fields without a value are left out. */
export function accessLine(entry: AccessEntry): string {
  const ip = entry.ip === null ? '' : `,"ip":${quoted(entry.ip)}`;
  const start = `{"time":"${timeText(entry.time)}","kind":"request","requestId":${quoted(entry.requestId)}${ip}`;
  const request = `,"method":${quoted(cut(entry.method, TEXT_MAX))},"host":${quoted(cut(entry.host, TEXT_MAX))},"path":${quoted(target(entry))}`;
  const bytes = `,"bytesIn":${entry.bytesIn},"bytesOut":${entry.bytesOut},"durationMs":${milliseconds(entry.durationMs)}`;
  const first = entry.firstByteMs === null ? '' : `,"firstByteMs":${milliseconds(entry.firstByteMs)}`;
  const line = `${start}${request},"version":${quoted(entry.version)},"status":${entry.status}${bytes}${first}${decisionFields(entry)}`;
  return isUsual(entry) ? `${line}}\n` : `${line}${unusualFields(entry)}}\n`;
}

/** Most requests ride on an open connection to the app and succeed. */
function isUsual({ connectMs, retries, errorCode, shadow, wanted, complete }: AccessEntry): boolean {
  const isOrdinary = connectMs === null && retries === 0 && errorCode === null && shadow === null;
  return isOrdinary && complete && (wanted ?? null) === null;
}

function unusualFields({ connectMs, retries, errorCode, shadow, wanted = null, complete }: AccessEntry): string {
  const connect = connectMs === null ? '' : `,"connectMs":${milliseconds(connectMs)}`;
  const again = retries === 0 ? '' : `,"retries":${retries}`;
  const code = errorCode === null ? '' : `,"code":${quoted(errorCode)}`;
  const trial = shadow === null ? '' : `${field('shadow', shadow.kind)}${field('shadowRule', shadow.rule)}`;
  const to = wanted === null ? '' : `${field('wantedHost', wanted.host)},"wantedPath":${quoted(target(wanted))}`;
  return `${connect}${again}${code}${trial}${to}${complete ? '' : ',"complete":false'}`;
}

type Decided = Pick<AccessEntry, 'who' | 'route' | 'rule' | 'decision' | 'reason' | 'upstream' | 'tls'>;

const ROUTES_MAX = 1000;
const lastOfRoute = new Map<string | null, { readonly of: Decided; readonly text: string }>();

/** On one route these are mostly those of the request before, so their text is kept. */
function decisionFields(entry: AccessEntry): string {
  const last = lastOfRoute.get(entry.route);
  if (last !== undefined && isSame(last.of, entry)) return last.text;
  const { who, route, rule, decision, reason, upstream, tls } = entry;
  const text = `,"who":${quoted(cut(who, TEXT_MAX))}${field('route', route)}${field('decision', decision)}${field('rule', rule)}${field('reason', reason)}${field('upstream', upstream)}${field('tls', tls)}`;
  if (lastOfRoute.size >= ROUTES_MAX) lastOfRoute.clear();
  lastOfRoute.set(route, { of: { who, route, rule, decision, reason, upstream, tls }, text });
  return text;
}

function isSame(a: Decided, b: Decided): boolean {
  return (
    a.who === b.who &&
    a.rule === b.rule &&
    a.decision === b.decision &&
    a.reason === b.reason &&
    a.upstream === b.upstream &&
    a.tls === b.tls
  );
}

function field(name: string, value: string | null): string {
  return value === null ? '' : `,"${name}":${quoted(cut(value, TEXT_MAX))}`;
}

/** Path and masked query, bounded. */
function target({ path, query }: Pick<AccessEntry, 'path' | 'query'>): string {
  if (query === '' || isOwnPath(path)) return redactTokens(cut(path, TARGET_MAX));
  return redactTokens(cut(path + redactQuery(cut(query, TARGET_MAX)), TARGET_MAX));
}

/** Their queries hold one-time codes and tickets. */
function isOwnPath(path: string): boolean {
  return path.startsWith(OWN_PATHS) && (path.length === OWN_PATHS.length || path[OWN_PATHS.length] === '/');
}

function cut(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most)}...`;
}

function quoted(text: string): string {
  return UNSAFE.test(text) ? asciiJson(text) : `"${text}"`;
}

/** JSON without any character beyond ASCII: C1 controls and bidi marks have no say on a terminal. */
function asciiJson(text: string): string {
  return JSON.stringify(text).replaceAll(
    /[\u007F-\uFFFF]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

const THREE_DIGITS: readonly string[] = Array.from({ length: 1000 }, (_, number) => String(number).padStart(3, '0'));

/** With three decimals, from integers: printing a double costs more. Never NaN, which is no JSON. */
function milliseconds(ms: number): string {
  const micros = ms > 0 && ms < 1e12 ? Math.round(ms * 1000) : 0;
  return `${Math.floor(micros / 1000)}.${THREE_DIGITS[micros % 1000]}`;
}

let second = -1;
let secondText = '';

/** ISO 8601; the text of a second is made once. */
function timeText(ms: number): string {
  const now = Math.floor(ms / 1000);
  if (now !== second) {
    second = now;
    secondText = new Date(now * 1000).toISOString().slice(0, 20);
  }
  return `${secondText}${THREE_DIGITS[Math.floor(ms) - now * 1000]}Z`;
}

/** 23:59:01 200 GET  app.example.com/x 1.2 kB 12 ms local:alice [allow: signed-in] -> http://127.0.0.1:3000 */
export function accessLineForPeople(entry: AccessEntry, hasColour: boolean): string {
  // Cleaned before it is painted, so that no escape but ours can be in it.
  const paint = (code: number, text: string): string =>
    hasColour ? `\u001B[${code}m${visible(text)}\u001B[0m` : visible(text);
  const parts = [
    paint(90, new Date(entry.time).toTimeString().slice(0, 8)),
    paint(colourOf(entry.status), String(entry.status)),
    visible(cut(entry.method, 32)).padEnd(4),
    visible(cut(entry.host, TEXT_MAX) + target(entry)),
    paint(90, `${sizeText(entry.bytesOut)} ${durationText(entry.durationMs)}`),
    paint(36, cut(entry.who, TEXT_MAX)),
    paint(90, decisionText(entry)),
  ];
  const { wanted = null } = entry;
  if (wanted !== null) parts.push(paint(90, `for ${cut(wanted.host + target(wanted), TEXT_MAX)}`));
  if (entry.upstream !== null) parts.push(paint(90, `-> ${cut(entry.upstream, TEXT_MAX)}`));
  if (entry.errorCode !== null) parts.push(paint(31, `${entry.errorCode} ${entry.requestId}`));
  else if (!entry.complete) parts.push(paint(33, 'cut off'));
  return `${parts.join(' ')}\n`;
}

function decisionText({ decision, rule }: AccessEntry): string {
  return rule === null ? `[${decision ?? '-'}]` : `[${decision ?? '-'}: ${cut(rule, TEXT_MAX)}]`;
}

function colourOf(status: number): number {
  if (status >= 500) return 31;
  if (status >= 400) return 33;
  return status >= 300 ? 36 : 32;
}

function sizeText(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  return bytes < 1_000_000 ? `${(bytes / 1000).toFixed(1)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`;
}

function durationText(ms: number): string {
  return ms < 1000 ? `${ms < 10 ? ms.toFixed(1) : ms.toFixed(0)} ms` : `${(ms / 1000).toFixed(1)} s`;
}
