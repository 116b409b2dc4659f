/**
 * The operator's log: one JSON object a line (pino), or one readable line on a terminal. Every fact passes
 * the redaction first. Written from the thread that logs, straight to the descriptor: in a worker,
 * `process.stdout` would go through the main thread.
 */
import { isatty } from 'node:tty';
import { pino } from 'pino';
import { createLineWriter } from './line-writer.ts';
import { redactFacts } from './redact.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export type LogFormat = 'json' | 'pretty';

export interface Logger {
  readonly debug: (facts: object, message: string) => void;
  readonly info: (facts: object, message: string) => void;
  readonly warn: (facts: object, message: string) => void;
  readonly error: (facts: object, message: string) => void;
}

/** Takes a whole line with its "\n". */
export interface LineSink {
  readonly write: (line: string) => unknown;
}

export interface LoggerOptions {
  readonly level: LogLevel;
  readonly format: LogFormat;
  /** A descriptor (1: standard output), or a sink of one's own. */
  readonly destination: number | LineSink;
  /** Facts that every line carries, e.g. the worker's number. */
  readonly base?: Readonly<Record<string, unknown>>;
}

/** A logger with a life: whoever made it closes it. */
export interface OwnedLogger extends Logger {
  /** Writes what is waiting, at once: before the process ends. */
  readonly flushSync: () => void;
  readonly close: () => Promise<void>;
}

/** The log needs to be prompt for people, not batched as the access log is. */
const FLUSH_MS = 20;
const RANK = { debug: 0, info: 1, warn: 2, error: 3 } as const;

/** What `log.format: auto` means for a descriptor. */
export function logFormatFor(format: LogFormat | 'auto', fd: number): LogFormat {
  if (format !== 'auto') return format;
  return isatty(fd) ? 'pretty' : 'json';
}

export function createLogger(options: LoggerOptions): OwnedLogger {
  const { destination } = options;
  const writer = typeof destination === 'number' ? createLineWriter({ fd: destination, flushMs: FLUSH_MS }) : null;
  const sink = writer ?? (destination as LineSink);
  const emit = options.format === 'json' ? jsonEmitter(options, sink) : prettyEmitter(options, sink);
  const at =
    (level: LogLevel) =>
    (facts: object, message: string): void => {
      if (RANK[level] >= RANK[options.level]) emit(level, redactFacts(facts), message);
    };
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    flushSync: () => writer?.flushSync(),
    close: async () => writer?.close(),
  };
}

/** Drops everything. */
export const silentLogger: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

type Emit = (level: LogLevel, facts: Record<string, unknown>, message: string) => void;

function jsonEmitter({ base }: LoggerOptions, sink: LineSink): Emit {
  const logger = pino(
    {
      level: 'debug',
      base: base === undefined ? null : redactFacts(base),
      messageKey: 'message',
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (level) => ({ level }) },
      // An error under "err" is a plain object by now: pino's own serializer would drop its facts.
      serializers: { err: (value: unknown) => value },
    },
    { write: (line: string) => void sink.write(line) },
  );
  return (level, facts, message) => logger[level](facts, message);
}

function prettyEmitter({ base, destination }: LoggerOptions, sink: LineSink): Emit {
  const hasColour = typeof destination === 'number' && isatty(destination) && process.env['NO_COLOR'] === undefined;
  const always = base === undefined ? {} : redactFacts(base);
  return (level, facts, message) => {
    sink.write(prettyLine(level, { ...always, ...facts }, message, hasColour));
  };
}

const COLOUR = { debug: 90, info: 36, warn: 33, error: 31 } as const;

function prettyLine(level: LogLevel, facts: Record<string, unknown>, message: string, hasColour: boolean): string {
  const paint = (code: number, text: string): string => (hasColour ? `\u001B[${code}m${text}\u001B[0m` : text);
  const time = new Date().toTimeString().slice(0, 8);
  const details = Object.entries(facts)
    .filter(([, value]) => value !== undefined && value !== null)
    .map(([name, value]) => ` ${paint(90, `${visible(name)}=`)}${factText(value)}`);
  return `${paint(90, time)} ${paint(COLOUR[level], level.padEnd(5))} ${visible(message)}${details.join('')}\n`;
}

function factText(value: unknown): string {
  if (typeof value === 'string' && /^[\w./:@+-]+$/.test(value)) return value;
  return visible(JSON.stringify(value) ?? String(value));
}

/** No terminal escapes and no line breaks from a fact: neither C0, DEL, C1 nor Unicode's line and bidi controls. */
export function visible(text: string): string {
  return text.replaceAll(
    /[\u0000-\u001F\u007F-\u009F\u2028\u2029\u200E\u200F\u202A-\u202E\u2066-\u2069]/g,
    (character) => {
      return `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`;
    },
  );
}
