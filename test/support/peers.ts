/**
 * Finds the real programs that suites run against. A suite whose peer is absent skips and says so;
 * in CI that skip is a failure, unless test/peers-unavailable.json gives the reason for that peer.
 */
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

const DIR =
  process.env['POSTERN_PEERS'] ?? join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'postern-peers');
const LIST = resolve(import.meta.dirname, '../peers-unavailable.json');

/** The program's path, or null where it is not installed. */
export function findPeer(program: string): string | null {
  const places = [join(DIR, 'bin'), ...(process.env['PATH'] ?? '').split(':'), '/usr/sbin', '/usr/local/sbin'];
  for (const place of places) {
    const path = join(place, program);
    if (place !== '' && existsSync(path)) return path;
  }
  return null;
}

/** For `test(name, { skip: skipWithout('caddy') }, …)`: false where all are there, else the reason. Throws in CI. */
export function skipWithout(...programs: readonly string[]): string | false {
  const missing = programs.filter((program) => findPeer(program) === null);
  if (missing.length === 0) return false;
  const reason = `needs ${missing.join(', ')}: run "npm run peers"`;
  if (process.env['CI'] === 'true' && !missing.every((program) => isKnownUnavailable(program))) {
    throw new Error(`Cannot skip in CI: ${reason}`);
  }
  return reason;
}

function isKnownUnavailable(program: string): boolean {
  const list: unknown = JSON.parse(readFileSync(LIST, 'utf8'));
  return typeof list === 'object' && list !== null && program in list;
}
