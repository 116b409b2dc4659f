/**
 * The listening sockets of one worker, as the running document wants them. What a new document adds is
 * opened before it goes live, so that an address that cannot be had changes nothing; what it has no more
 * is let go afterwards. An address that stays keeps its socket, whatever it is for now: the kernel would
 * reset what waits in the queue of one that is closed.
 */
import type { OpenListener, Transport } from './listener.ts';
import type { Document } from '../config/document.ts';

type Listen = Pick<Document['listen'], 'http' | 'https'>;

/** What one address is for. */
interface Purpose {
  readonly host: string | null;
  readonly port: number;
  readonly tls: boolean;
  readonly redirectsToHttps: boolean;
}

export class Listeners {
  readonly #transport: Pick<Transport, 'listen'>;
  readonly #inherited: Readonly<Record<string, number>>;
  readonly #open = new Map<string, OpenListener>();

  /** `inherited`: sockets that systemd opened, by address. They are never closed: nobody could open them again. */
  constructor(transport: Pick<Transport, 'listen'>, inherited: Readonly<Record<string, number>>) {
    this.#transport = transport;
    this.#inherited = inherited;
  }

  /** Opens what is missing. Where one cannot be opened it rejects with LISTEN_FAILED, and none of them is open. */
  async open(listen: Listen): Promise<void> {
    const opened: string[] = [];
    try {
      for (const [key, purpose] of purposesOf(listen)) {
        if (this.#open.has(key)) continue;
        const fd = this.#inherited[key];
        const how = fd === undefined ? { reusePort: true } : { fd };
        this.#open.set(key, await this.#transport.listen({ ...purpose, ...how }));
        opened.push(key);
      }
    } catch (error) {
      await Promise.all(opened.map((key) => this.#letGo(key)));
      throw error;
    }
  }

  /** Makes what is open serve what the document says, and lets go what it has no more: it is free again then. */
  async keep(listen: Listen): Promise<void> {
    const wanted = purposesOf(listen);
    const gone: Promise<void>[] = [];
    for (const [key, listener] of this.#open) {
      const purpose = wanted.get(key);
      if (purpose !== undefined) listener.change(purpose);
      else if (!(key in this.#inherited)) gone.push(this.#letGo(key));
    }
    await Promise.all(gone);
  }

  async #letGo(key: string): Promise<void> {
    const listener = this.#open.get(key);
    this.#open.delete(key);
    await listener?.retire();
  }
}

export function addressKeyOf({ host, port }: { readonly host: string | null; readonly port: number }): string {
  return `${host ?? '*'}:${port}`;
}

/** A plain listener redirects to HTTPS unless it has `tls: off`. */
function purposesOf({ http, https }: Listen): Map<string, Purpose> {
  const purposes = new Map<string, Purpose>();
  for (const { host, port, tls } of http) {
    purposes.set(addressKeyOf({ host, port }), { host, port, tls: false, redirectsToHttps: tls });
  }
  for (const { host, port } of https) {
    purposes.set(addressKeyOf({ host, port }), { host, port, tls: true, redirectsToHttps: true });
  }
  return purposes;
}
