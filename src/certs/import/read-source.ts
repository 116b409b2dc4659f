/** Finds out whose folder or file it is, and reads it. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { isCertbotFolder, readCertbot } from './certbot.ts';
import { findCaddyFolder, readCaddy } from './caddy.ts';
import { isTraefikFile, readTraefik } from './traefik.ts';
import { UnusableEntry, type Found } from './found.ts';

export const IMPORT_KINDS = ['certbot', 'caddy', 'traefik'] as const;
export type ImportKind = (typeof IMPORT_KINDS)[number];

/** Null where it is none of those that are known. */
export function detectKind(path: string): ImportKind | null {
  if (!existsSync(path)) throw new UnusableEntry(`"${path}" does not exist`);
  if (!statSync(path).isDirectory()) return isTraefikFile(readFileSync(path, 'utf8')) ? 'traefik' : null;
  if (isCertbotFolder(path)) return 'certbot';
  return findCaddyFolder(path) === null ? null : 'caddy';
}

export interface SourceOptions {
  readonly path: string;
  readonly kind: ImportKind;
  /** For a file that does not say it. */
  readonly directoryFor: (accountUrl: string) => string | null;
}

export function readSource({ path, kind, directoryFor }: SourceOptions): Found {
  switch (kind) {
    case 'certbot':
      return readCertbot(path);
    case 'caddy':
      return readCaddy(findCaddyFolder(path) ?? path);
    case 'traefik':
      return readTraefik(path, directoryFor);
    default:
      throw new TypeError('Cannot import: the kind is not known');
  }
}
