/**
 * How many connections may be open at once: in total and per client address, IPv6 by its /64, since
 * one household or one virtual machine owns at least that much. Each worker counts what it accepted
 * itself; the kernel spreads connections evenly over workers, so the limits of the document are
 * divided by the number of workers before they get here.
 */
export interface ConnectionCounts {
  readonly connections: number;
  readonly connectionsPerAddress: number;
  /** For 127.0.0.0/8 and ::1: other proxies on this machine carry many visitors. */
  readonly connectionsPerLoopback: number;
}

/** A share of a limit for one of `workers` workers: never less than one. */
export function shareOf(limits: ConnectionCounts, workers: number): ConnectionCounts {
  const share = (limit: number): number => (limit === Infinity ? limit : Math.max(1, Math.ceil(limit / workers)));
  return {
    connections: share(limits.connections),
    connectionsPerAddress: share(limits.connectionsPerAddress),
    connectionsPerLoopback: share(limits.connectionsPerLoopback),
  };
}

export class ConnectionLimits {
  readonly #limits: () => ConnectionCounts;
  readonly #byAddress: Map<string, number> = new Map();
  #open = 0;

  constructor(limits: () => ConnectionCounts) {
    this.#limits = limits;
  }

  get open(): number {
    return this.#open;
  }

  get addresses(): number {
    return this.#byAddress.size;
  }

  /** False where the connection is one too many. Call `leave` once for each true. */
  enter(): boolean {
    if (this.#open >= this.#limits().connections) return false;
    this.#open++;
    return true;
  }

  leave(): void {
    this.#open--;
  }

  /** Counts the connection for a canonical address. Call `leaveAddress` once for each true. */
  enterAddress(address: string): boolean {
    const key = addressKey(address);
    const count = this.#byAddress.get(key) ?? 0;
    const { connectionsPerAddress, connectionsPerLoopback } = this.#limits();
    const isLoopback = address.startsWith('127.') || address === '::1';
    if (count >= (isLoopback ? connectionsPerLoopback : connectionsPerAddress)) return false;
    this.#byAddress.set(key, count + 1);
    return true;
  }

  leaveAddress(address: string): void {
    const key = addressKey(address);
    const count = this.#byAddress.get(key) ?? 0;
    if (count <= 1) this.#byAddress.delete(key);
    else this.#byAddress.set(key, count - 1);
  }
}

/** The address itself, or the first 64 bits of an IPv6 address. */
export function addressKey(address: string): string {
  if (!address.includes(':')) return address;
  const [left = '', right] = address.split('::');
  const head = left === '' ? [] : left.split(':');
  const tail = right === undefined || right === '' ? [] : right.split(':');
  const zeros = right === undefined ? 0 : Math.max(0, 8 - head.length - tail.length);
  const groups = [...head, ...Array.from({ length: zeros }, () => '0'), ...tail];
  return `${groups
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ''))
    .join(':')}::/64`;
}
