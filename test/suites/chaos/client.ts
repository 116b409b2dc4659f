/** Single requests with a Cookie field of one's own choice, and what became of them; and WebSockets. Hostile by habit. */
import { Agent, request } from 'node:https';
import { WebSocket } from 'ws';
import { EVIL, type Told } from './world.ts';
import type { Outcome } from './model.ts';

/** What only Postern may say, in spellings that many an app takes for the same. */
export const FORGED: Readonly<Record<string, string>> = {
  'x-forwarded-user': `${EVIL}-user`,
  x_forwarded_user: `${EVIL}-user`,
  'x-forwarded-groups': `${EVIL}-groups`,
  'x-subject': `${EVIL}:subject`,
  x_subject: `${EVIL}:subject`,
  'x-forwarded-email': `${EVIL}@example.com`,
  'remote-user': `${EVIL}-user`,
  'x-auth-request-user': `${EVIL}-user`,
  'postern-assertion': `${EVIL}-assertion`,
};

export interface Seen {
  readonly outcome: Outcome | 'wrong';
  readonly status: number;
  readonly told: Told | null;
  readonly body: string;
}

export interface Asking {
  readonly port: number;
  readonly host: string;
  readonly path: string;
  readonly cookie: string;
  readonly bearer?: string | null;
}

export function createAgent(): Agent {
  return new Agent({ keepAlive: true, maxSockets: 6, rejectUnauthorized: false });
}

/** As a script of a page would. */
export function ask(agent: Agent, asking: Asking): Promise<Seen> {
  const { port, host, path, cookie, bearer = null } = asking;
  return new Promise((resolve) => {
    let isAnswered = false;
    const headers = {
      host: `${host}:${port}`,
      accept: 'application/json',
      ...FORGED,
      ...(cookie === '' ? {} : { cookie }),
      ...(bearer === null ? {} : { authorization: `Bearer ${bearer}` }),
    };
    const failed = (error: NodeJS.ErrnoException): void => {
      // It was closed in the very moment in which it was used again, as a server may (RFC 9112 section 9.3.1): clients send again.
      const isStale = sent.reusedSocket && !isAnswered && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
      resolve(isStale ? ask(agent, asking) : brokenBy(error));
    };
    const sent = request({ host: '127.0.0.1', port, servername: host, path, agent, headers }, (response) => {
      isAnswered = true;
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (body += chunk));
      response.on('error', failed);
      response.on('end', () => resolve(seenOf(response.statusCode ?? 0, body)));
    });
    sent.setTimeout(60_000, () => sent.destroy(new Error('no answer within a minute')));
    sent.on('error', failed);
    sent.end();
  });
}

/** A name that is not served is told so in the TLS handshake (RFC 6066 section 3). */
export function brokenBy(error: unknown): Seen {
  const text = String(error);
  return { outcome: /unrecognized name/.test(text) ? 'gone' : 'failed', status: 0, told: null, body: text };
}

const OTHERS: Readonly<Record<number, Outcome>> = { 401: 'refused', 403: 'refused', 404: 'gone', 421: 'gone' };

export function seenOf(status: number, body: string): Seen {
  if (status === 200) {
    const told = readTold(body);
    if (told === null) return { outcome: 'wrong', status, told, body };
    return { outcome: told.subject === '' && told.user === '' ? 'nobody' : 'in', status, told, body };
  }
  return { outcome: OTHERS[status] ?? 'wrong', status, told: null, body };
}

export function readTold(body: string): Told | null {
  try {
    const told = JSON.parse(body) as Partial<Told>;
    return typeof told.subject === 'string' ? (told as Told) : null;
  } catch {
    return null;
  }
}

export interface OpenSocket {
  readonly told: Told;
  readonly isOpen: () => boolean;
  readonly closed: Promise<number>;
  readonly end: () => void;
}

/** Null where it is refused. */
export function openSocket({ port, host, path, cookie, bearer = null }: Asking): Promise<OpenSocket | null> {
  return new Promise((resolve) => {
    const name: object = { servername: host };
    const socket = new WebSocket(`wss://127.0.0.1:${port}${path}`, {
      headers: {
        host: `${host}:${port}`,
        ...FORGED,
        ...(bearer === null ? { cookie } : { authorization: `Bearer ${bearer}` }),
      },
      origin: `https://${host}:${port}`,
      rejectUnauthorized: false,
      ...name,
    });
    const closed = new Promise<number>((done) => {
      socket.on('close', () => {
        resolve(null);
        done(Date.now());
      });
    });
    socket.on('error', () => resolve(null));
    socket.once('message', (data: Buffer) => {
      const told = readTold(data.toString()) as Told;
      resolve({ told, closed, isOpen: () => socket.readyState === WebSocket.OPEN, end: () => socket.terminate() });
    });
  });
}
