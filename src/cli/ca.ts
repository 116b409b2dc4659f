/** `postern ca`: the roots of the local CA. Reads files only, so it works while Postern runs. */
import { X509Certificate } from 'node:crypto';
import { accessSync, constants, existsSync, readdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { systemClock } from '../core/clock.ts';
import { PosternError } from '../core/errors.ts';
import { createLocalCa } from '../certs/local-ca.ts';
import { changeTrust } from '../certs/trust/trust-root.ts';
import { findTrustStores } from '../certs/trust/trust-stores.ts';
import type { LocalRoot, TrustResult } from '../certs/trust/trust-root.ts';
import type { Machine } from '../certs/trust/trust-stores.ts';
import { print, printError } from './terminal.ts';

const PEM = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n?/g;
const ID_DIGITS = 16;

export function exportRoot(dataDir: string): void {
  print(rootsOf(dataDir).trimEnd());
}

/** Exits with 1 where no store took it, or one failed. */
export async function trustRoots(action: 'add' | 'remove', dataDir: string): Promise<void> {
  const stores = findTrustStores(thisMachine());
  if (stores.length === 0)
    throw new PosternError(
      'OPERATION_REFUSED',
      `Cannot ${action === 'add' ? 'install' : 'uninstall'}: no trust store is known here. "postern ca export" prints the root: import it by hand, or install "ca-certificates" or "libnss3-tools"`,
    );
  const roots = (rootsOf(dataDir).match(PEM) ?? []).map(localRoot);
  const isRoot = process.getuid?.() === 0;
  const results = await changeTrust({ action, roots, stores, isRoot });
  for (const result of results) tell(result, action);
  if (!results.some((one) => one.kind === 'done') || results.some((one) => one.kind === 'failed')) process.exitCode = 1;
}

function tell(result: TrustResult, action: 'add' | 'remove'): void {
  const { store } = result;
  if (result.kind === 'done')
    print(`${action === 'add' ? 'Installed in' : 'Removed from'} ${store.label}: ${store.serves}`);
  else if (result.kind === 'needs-root')
    printError(`postern: ${store.label} (${store.serves}) needs root: run it with sudo too, with the same --data`);
  else printError(`postern: Cannot change ${store.label}: ${result.message}`);
}

function rootsOf(dataDir: string): string {
  const ca = createLocalCa({ directory: join(dataDir, 'ca'), clock: systemClock, onNotice: () => undefined });
  const pem = ca.exportRootPem();
  if (pem !== null) return pem;
  throw new PosternError(
    'OPERATION_REFUSED',
    `Cannot find a root: "${dataDir}" has no local CA yet; start Postern once with a *.localhost host or "tls: local"`,
  );
}

function localRoot(pem: string): LocalRoot {
  const certificate = new X509Certificate(pem);
  const id = certificate.fingerprint256.replaceAll(':', '').slice(0, ID_DIGITS).toLowerCase();
  const commonName = /^CN=(.*)$/m.exec(certificate.subject)?.[1] ?? `Postern local CA ${id}`;
  return { pem, commonName, id };
}

function thisMachine(): Machine {
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  return {
    platform: process.platform,
    home: homedir(),
    exists: existsSync,
    // Administrators' tools are often left out of a person's PATH.
    hasCommand: (name) => [...folders, '/usr/sbin', '/sbin'].some((folder) => isProgram(join(folder, name))),
    list: (folder) => {
      try {
        return readdirSync(folder);
      } catch {
        return [];
      }
    },
  };
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
