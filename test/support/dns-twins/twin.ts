/**
 * Local twins of DNS providers' APIs: they answer as documented and refuse everything else. A request that the
 * documented API would not understand is a violation, which the contract suite holds against the provider.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type * as z from 'zod';
import type { ProviderTools } from '../../../src/certs/dns/tools.ts';
import { systemClock } from '../../../src/core/clock.ts';

export interface TwinRequest {
  readonly method: string;
  readonly host: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly text: string;
  /** The whole address as the client meant it. */
  readonly href: string;
}

export interface TwinAnswer {
  readonly status: number;
  readonly json?: unknown;
  readonly text?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export type Values = Readonly<
  Record<string, string | readonly string[] | Readonly<Record<string, string>> | number | undefined>
>;

export interface Twin {
  /** Of the catalogue. */
  readonly type: string;
  readonly host: string;
  readonly settings: Values;
  readonly wrongSettings: Values;
  /** Throws a Refusal for what the API would refuse. */
  readonly handle: (request: TwinRequest) => TwinAnswer | Promise<TwinAnswer>;
  /** What is there now. */
  readonly valuesOf: (fqdn: string) => readonly string[];
  /** Somebody else's value. */
  readonly seed?: (fqdn: string, value: string) => void;
  /** The next write finds that somebody changed the set in between. */
  readonly conflictOnce?: (fqdn: string, value: string) => void;
  /** Names that fit the account; others do not. */
  readonly names?: { readonly plain: string; readonly missing: string };
  readonly hasZones: boolean;
  /** Names hold several values, each of which can be removed. */
  readonly isWhole: boolean;
}

/** An answer of the API that refuses. */
export class Refusal extends Error {
  readonly answer: TwinAnswer;
  constructor(answer: TwinAnswer) {
    super('refused');
    this.answer = answer;
  }
}

/** A request that the documented API does not know. */
export class Violation extends Error {}

export function violate(message: string): never {
  throw new Violation(message);
}

/** The body in exactly the documented shape. */
export function bodyOf<T>(request: TwinRequest, shape: z.ZodType<T>): T {
  if (request.headers['content-type'] !== 'application/json')
    violate(`content-type is ${request.headers['content-type']}`);
  const result = shape.safeParse(JSON.parse(request.text));
  return result.success ? result.data : violate(`body ${request.text}: ${result.error.message}`);
}

/** TXT records of an account's zones. */
export class ZoneStore {
  readonly zones: Map<string, Map<string, string[]>> = new Map();

  constructor(names: readonly string[] = ['example.com', 'dev.example.com', 'own.other.example']) {
    for (const name of names) this.zones.set(name, new Map());
  }

  get(zone: string, fqdn: string): string[] {
    return this.zones.get(zone)?.get(fqdn) ?? [];
  }

  put(zone: string, fqdn: string, values: readonly string[]): void {
    const records = this.zones.get(zone);
    if (records === undefined) throw new TypeError(`no zone ${zone}`);
    if (values.length === 0) records.delete(fqdn);
    else records.set(fqdn, [...values]);
  }

  /** Wherever the name stands; a name in two zones would be a fault. */
  valuesOf(fqdn: string): readonly string[] {
    const holders = [...this.zones.entries()].filter(([, records]) => records.has(fqdn));
    if (holders.length > 1) throw new TypeError(`"${fqdn}" stands in ${holders.length} zones`);
    return holders[0]?.[1].get(fqdn) ?? [];
  }

  /** One of them, where a value stands there twice. */
  removeOne(zone: string, fqdn: string, value: string): void {
    const values = [...this.get(zone, fqdn)];
    values.splice(values.indexOf(value), 1);
    this.put(zone, fqdn, values);
  }

  add(fqdn: string, value: string): void {
    const zone = this.zoneFor(fqdn);
    this.put(zone, fqdn, [...this.get(zone, fqdn), value]);
  }

  zoneFor(fqdn: string): string {
    const all = [...this.zones.keys()].filter((zone) => fqdn === zone || fqdn.endsWith(`.${zone}`));
    return all.sort((a, b) => b.length - a.length)[0] ?? violate(`no zone for ${fqdn}`);
  }
}

export function absolute(below: string, zone: string): string {
  return below === '' || below === '@' ? zone : `${below}.${zone}`;
}

export function unquoted(text: string): string {
  const match = /^"([^"\\]*)"$/.exec(text);
  return match?.[1] ?? violate(`${text} is not quoted`);
}

/** "lost": it is done, but the answer does not arrive. "pass": nothing happens. */
export type Fault = TwinAnswer | 'hang' | 'lost' | 'pass';

export interface TwinRig {
  readonly tools: ProviderTools;
  readonly twin: Twin;
  /** Answers to the next requests, instead of the twin's own. */
  readonly faults: Fault[];
  readonly requests: TwinRequest[];
  readonly violations: string[];
  readonly waits: number[];
  /** The port of the twin, for providers with an address of their own. */
  readonly origin: string;
  readonly close: () => Promise<void>;
}

export async function startTwin(make: (origin: string) => Twin, timeoutMs = 5000): Promise<TwinRig> {
  const faults: Fault[] = [];
  const requests: TwinRequest[] = [];
  const violations: string[] = [];
  const waits: number[] = [];
  let twin: Twin | null = null;
  const server = createServer((incoming, outgoing) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', async () => {
      const href = String(incoming.headers['x-meant'] ?? `http://${incoming.headers.host}${incoming.url}`);
      const url = new URL(href);
      const { method = '' } = incoming;
      const headers = incoming.headers as Record<string, string | undefined>;
      const text = Buffer.concat(chunks).toString('utf8');
      const request = { method, host: url.host, path: url.pathname, query: url.searchParams, headers, text, href };
      requests.push(request);
      const fault = faults.shift() ?? 'pass';
      const isAsked = fault === 'pass' || fault === 'lost';
      const answer = isAsked && twin !== null ? await answerOf(twin, request, violations) : fault;
      if (fault === 'lost') incoming.socket.destroy();
      if (fault === 'lost' || typeof answer === 'string') return;
      const isJson = answer.json !== undefined;
      outgoing.writeHead(answer.status, {
        ...(isJson ? { 'content-type': 'application/json' } : {}),
        ...answer.headers,
      });
      outgoing.end(isJson ? JSON.stringify(answer.json) : (answer.text ?? ''));
    });
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  twin = make(origin);
  const tools: ProviderTools = {
    fetch: (url, init) => {
      const { pathname, search } = new URL(url);
      const headers = { ...(init.headers as Record<string, string>), 'x-meant': url };
      return fetch(`${origin}${pathname}${search}`, { ...init, headers });
    },
    sleep: async (ms, signal) => {
      signal.throwIfAborted();
      waits.push(ms);
    },
    clock: systemClock,
    random: () => 0.5,
    timeoutMs,
    environment: { PATH: '/usr/bin:/bin', HOME: '/' },
  };
  const close = async (): Promise<void> => {
    server.closeAllConnections();
    await new Promise((resolve) => void server.close(resolve));
  };
  return { tools, twin, faults, requests, violations, waits, origin, close };
}

async function answerOf(twin: Twin, request: TwinRequest, violations: string[]): Promise<TwinAnswer> {
  try {
    return await twin.handle(request);
  } catch (error) {
    if (error instanceof Refusal) return error.answer;
    violations.push(`${request.method} ${request.path}: ${(error as Error).message}`);
    return { status: 418, text: 'violation' };
  }
}
