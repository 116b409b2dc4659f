/**
 * How many connections may be open at once: in total and per client address, IPv6 by its /64, since
 * one household or one virtual machine owns at least that much. Counted over all workers: the kernel
 * spreads the connections of one address over them as chance has it, so that a share of the limit would
 * refuse somebody who is well below the whole.
 */
import { createCountsMemory, SharedCounts } from './shared-counts.ts';

export interface ConnectionCounts {
  readonly connections: number;
  readonly connectionsPerAddress: number;
  /** For 127.0.0.0/8 and ::1: other proxies on this machine carry many visitors. */
  readonly connectionsPerLoopback: number;
}

export class ConnectionLimits {
  readonly #limits: () => ConnectionCounts;
  readonly #counts: SharedCounts;

  /** Without shared counts it counts for itself. */
  constructor(limits: () => ConnectionCounts, counts: SharedCounts = new SharedCounts(createCountsMemory(1), 0)) {
    this.#limits = limits;
    this.#counts = counts;
  }

  /** False where the connection is one too many. Call `leave` once for each true. */
  enter(): boolean {
    if (this.#counts.addOpen(1) <= this.#limits().connections) return true;
    this.#counts.addOpen(-1);
    return false;
  }

  leave(): void {
    this.#counts.addOpen(-1);
  }

  /** Counts the connection for a canonical address. Call `leaveAddress` once for each true. */
  enterAddress(address: string): boolean {
    const key = addressKey(address);
    const { connectionsPerAddress, connectionsPerLoopback } = this.#limits();
    const isLoopback = address.startsWith('127.') || address === '::1';
    if (this.#counts.addAddress(key, 1) <= (isLoopback ? connectionsPerLoopback : connectionsPerAddress)) return true;
    this.#counts.addAddress(key, -1);
    return false;
  }

  leaveAddress(address: string): void {
    this.#counts.addAddress(addressKey(address), -1);
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
