/** The same requests by HTTP/2: a connection a host, kept, with the Cookie field in crumbs (RFC 9113 section 8.2.3). */
import { connect, type ClientHttp2Session } from 'node:http2';
import { brokenBy, FORGED, seenOf, type Asking, type Seen } from './client.ts';

/** In these the request was not looked at: its connection was closed in the very moment in which it was used again. */
const STALE: ReadonlySet<string> = new Set([
  'ECONNRESET',
  'EPIPE',
  'ERR_HTTP2_GOAWAY_SESSION',
  'ERR_HTTP2_INVALID_SESSION',
  'ERR_HTTP2_STREAM_CANCEL',
]);
const REFUSED = /NGHTTP2_REFUSED_STREAM/;
const WAIT_MS = 60_000;

interface Held {
  readonly session: ClientHttp2Session;
  uses: number;
  /** Why it broke: what its requests say is that they were cancelled. */
  error: unknown;
}

export class Http2Clients {
  readonly #held = new Map<string, Held>();

  async ask(asking: Asking): Promise<Seen> {
    for (;;) {
      const held = this.#hold(asking);
      const isFirst = held.uses++ === 0;
      const answer = await send(held, asking);
      if (answer !== 'stale') return answer;
      this.#drop(asking.host, held);
      if (isFirst) return brokenBy(held.error ?? 'closed before the first answer');
    }
  }

  close(): void {
    for (const { session } of this.#held.values()) session.destroy();
    this.#held.clear();
  }

  #hold({ host, port }: Asking): Held {
    const known = this.#held.get(host);
    if (known !== undefined && !known.session.closed && !known.session.destroyed) return known;
    const name: object = { servername: host };
    const session = connect(`https://127.0.0.1:${port}`, { rejectUnauthorized: false, ...name });
    const held: Held = { session, uses: 0, error: null };
    session.on('error', (error) => (held.error = error));
    for (const end of ['goaway', 'close'] as const) session.on(end, () => this.#drop(host, held));
    this.#held.set(host, held);
    return held;
  }

  #drop(host: string, held: Held): void {
    if (this.#held.get(host) === held) this.#held.delete(host);
    held.session.close();
  }
}

function send({ session }: Held, { port, host, path, cookie, bearer = null }: Asking): Promise<Seen | 'stale'> {
  return new Promise((resolve) => {
    const headers = {
      ':path': path,
      ':authority': `${host}:${port}`,
      accept: 'application/json',
      ...FORGED,
      // The app's own on either side: of the crumbs all count.
      cookie: ['theme=dark', ...(cookie === '' ? [] : cookie.split('; ')), 'lang=ko'],
      ...(bearer === null ? {} : { authorization: `Bearer ${bearer}` }),
    };
    let status = 0;
    let body = '';
    try {
      const stream = session.request(headers);
      stream.setEncoding('utf8');
      stream.setTimeout(WAIT_MS, () => stream.destroy(new Error('no answer within a minute')));
      stream.on('response', (fields) => (status = fields[':status'] ?? 0));
      stream.on('data', (chunk: string) => (body += chunk));
      stream.on('end', () => {
        if (status !== 0) resolve(seenOf(status, body));
      });
      stream.on('error', (error: NodeJS.ErrnoException) => {
        const isStale = status === 0 && (STALE.has(error.code ?? '') || REFUSED.test(error.message));
        resolve(isStale ? 'stale' : brokenBy(error));
      });
      stream.on('close', () => resolve(status === 0 ? 'stale' : brokenBy('cut off in its answer')));
    } catch (error) {
      const { code = '' } = error as NodeJS.ErrnoException;
      resolve(STALE.has(code) ? 'stale' : brokenBy(error));
    }
  });
}
