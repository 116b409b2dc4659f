/**
 * Warns of apps that others can reach around Postern: a server on this machine that listens on all
 * addresses. Read from the kernel's tables; where there are none (not Linux), nothing is said.
 */
import { readFileSync } from 'node:fs';
import type { Document } from '../config/document.ts';
import type { Action } from '../config/document/actions.ts';

const LISTEN = '0A';
const ANY = /^0+$/;

export interface Exposure {
  readonly server: string;
  readonly port: number;
}

export function findExposedUpstreams(
  document: Document,
  tables: readonly string[] = readTables(),
): readonly Exposure[] {
  const open = new Set(tables.flatMap(portsOpenToAll));
  if (open.size === 0) return [];
  const found = new Map<number, Exposure>();
  for (const action of actionsOf(document)) {
    if (action.kind !== 'proxy') continue;
    for (const { scheme, host, port } of action.servers) {
      const isHere = host === 'localhost' || host === '[::1]' || host === '::1' || host.startsWith('127.');
      if (scheme === 'unix' || !isHere || typeof port !== 'number' || !open.has(port)) continue;
      found.set(port, { server: `${scheme}://${host}:${port}`, port });
    }
  }
  return [...found.values()];
}

/** Every action of every route, those of choices too. */
export function actionsOf(document: Document): readonly Action[] {
  const hosts = document.fallback === null ? document.hosts : [...document.hosts, document.fallback];
  return hosts.flatMap((host) => host.routes).flatMap((route) => leavesOf(route.action));
}

function leavesOf(action: Action): readonly Action[] {
  return action.kind === 'choose' ? action.choices.map((choice) => choice.action) : [action];
}

function readTables(): string[] {
  return ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((path) => {
    try {
      return [readFileSync(path, 'latin1')];
    } catch {
      return [];
    }
  });
}

/** Columns: number, local address as HEX:PORT, remote address, state. */
function portsOpenToAll(table: string): number[] {
  return table
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const [, local = '', , state] = line.trim().split(/\s+/);
      const [address = '', port = ''] = local.split(':');
      return state === LISTEN && ANY.test(address) ? [Number.parseInt(port, 16)] : [];
    });
}
