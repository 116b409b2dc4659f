/**
 * Sockets that systemd opened before us (sd_listen_fds): LISTEN_PID says whether they are ours,
 * LISTEN_FDS how many, from descriptor 3 on. Which address each has is read from the kernel.
 */
import { readFileSync, readlinkSync } from 'node:fs';

const FIRST = 3;

/** Address as "host:port" or "*:port" -> descriptor; empty without socket activation. */
export function inheritedSockets(env: NodeJS.ProcessEnv = process.env): Readonly<Record<string, number>> {
  if (env['LISTEN_PID'] !== String(process.pid)) return {};
  const count = Number(env['LISTEN_FDS'] ?? 0);
  const addresses = listeningAddresses();
  const found: Record<string, number> = {};
  for (let fd = FIRST; fd < FIRST + count; fd++) {
    const inode = /^socket:\[(\d+)\]$/.exec(readLink(fd))?.[1];
    const address = inode === undefined ? undefined : addresses.get(inode);
    if (address !== undefined) found[address] = fd;
  }
  return found;
}

function readLink(fd: number): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return '';
  }
}

function listeningAddresses(): ReadonlyMap<string, string> {
  const byInode = new Map<string, string>();
  for (const table of ['/proc/self/net/tcp', '/proc/self/net/tcp6']) {
    for (const line of readTable(table)) {
      const fields = line.trim().split(/\s+/);
      const [host = '', port = ''] = (fields[1] ?? '').split(':');
      if (fields[3] === '0A') byInode.set(fields[9] ?? '', `${hostOf(host)}:${Number.parseInt(port, 16)}`);
    }
  }
  return byInode;
}

function readTable(path: string): string[] {
  try {
    return readFileSync(path, 'latin1').split('\n').slice(1);
  } catch {
    return [];
  }
}

/** The kernel writes IPv4 as little-endian hex; an address of all zeros is every address. */
function hostOf(hex: string): string {
  if (/^0+$/.test(hex)) return '*';
  if (hex.length === 8) return [6, 4, 2, 0].map((at) => Number.parseInt(hex.slice(at, at + 2), 16)).join('.');
  return hex === '00000000000000000000000001000000' ? '::1' : hex;
}
