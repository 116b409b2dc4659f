/**
 * Many people at once, in a process of their own: each has cookies and connections of its own, signs in through
 * the twin of a provider as a browser would, and comes again. What an app is told about a person is what it says.
 */
import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Member {
  readonly name: string;
  readonly subject: string;
  readonly groups: readonly string[];
}

/** What the process is told; `id` comes back with the answer. */
export type Order = { readonly id: number } & (
  | { readonly kind: 'gather'; readonly count: number; readonly from: number; readonly url: string }
  | { readonly kind: 'enter'; readonly path: string; readonly more: string; readonly apartMs: number }
  | { readonly kind: 'come'; readonly path: string; readonly more: string }
  | { readonly kind: 'let-go' | 'cookies' }
);
export interface Answer {
  readonly id: number;
  readonly lines: readonly string[];
}
type Told<T> = T extends unknown ? Omit<T, 'id'> : never;

export interface Crowd {
  readonly members: readonly Member[];
  /**
   * All sign in at once, or so many milliseconds apart, from this path of the app to the twin and back: what is wrong
   * with what they see at the end.
   */
  readonly enter: (path: string, apartMs?: number) => Promise<readonly string[]>;
  /** All ask for the path at once. `more`: groups beside their own. */
  readonly come: (path: string, more?: string) => Promise<readonly string[]>;
  /** Closes connections that are kept: the next may come to another worker. */
  readonly letGo: () => Promise<unknown>;
  /** The app's Cookie field of each. */
  readonly cookies: () => Promise<readonly string[]>;
  readonly close: () => void;
}

/** Seven groups over all of them, so that neighbours differ. */
export function membersOf(count: number, from = 0): readonly Member[] {
  return Array.from({ length: count }, (_, i) => {
    const at = from + i;
    return { name: `person-${at}`, subject: `sub-${at}`, groups: [`/team-${at % 7}`] };
  });
}

export function claimsOf({ name, subject, groups }: Member): Record<string, unknown> {
  return { sub: subject, preferred_username: name, name: `The ${name}`, groups };
}

/** What the echo app says of a member. */
export function toldOf({ name, groups }: Member, path: string): string {
  return `${path} for ${name} The ${name} ${groups.join(',')}`;
}

export interface CrowdOptions {
  /** A command that the process is an argument of. */
  readonly wrap?: readonly string[];
  /** Number of the first of them, where another crowd has those before. */
  readonly from?: number;
}

export async function startCrowd(
  count: number,
  url: string,
  { wrap = [], from = 0 }: CrowdOptions = {},
): Promise<Crowd> {
  const file = new URL('./crowd-process.ts', import.meta.url);
  const [execPath = process.execPath, ...rest] = wrap;
  const child: ChildProcess = fork(file, {
    execPath,
    execArgv: wrap.length === 0 ? [] : [...rest, process.execPath],
  });
  const killer = (): unknown => child.kill('SIGKILL');
  process.once('exit', killer);
  const waiting = new Map<number, (lines: readonly string[]) => void>();
  child.on('message', ({ id, lines }: Answer) => waiting.get(id)?.(lines));
  let last = 0;
  const ask = (order: Told<Order>): Promise<readonly string[]> => {
    const id = ++last;
    const { promise, resolve, reject } = Promise.withResolvers<readonly string[]>();
    waiting.set(id, resolve);
    child.once('exit', () => reject(new Error('Cannot go on: the crowd is gone')));
    child.send({ ...order, id });
    return promise;
  };
  child.setMaxListeners(0);
  await ask({ kind: 'gather', count, from, url });
  return {
    members: membersOf(count, from),
    enter: (path, apartMs = 0) => ask({ kind: 'enter', path, more: '', apartMs }),
    come: (path, more = '') => ask({ kind: 'come', path, more }),
    letGo: () => ask({ kind: 'let-go' }),
    cookies: () => ask({ kind: 'cookies' }),
    close() {
      process.removeListener('exit', killer);
      child.kill('SIGKILL');
    },
  };
}

/** An app that says what it was told about who came. */
export async function startEchoApp(): Promise<{ readonly port: number; readonly close: () => void }> {
  const server: Server = createServer((req, res) => {
    const told = ['user', 'name', 'groups'].map((field) => String(req.headers[`x-forwarded-${field}`]));
    res.end(`${req.url} for ${told.join(' ')}`);
  });
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
