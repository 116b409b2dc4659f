/** Puts a root into the stores of a machine, or takes it out; each store is tried, and what went wrong is told for each. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeWhole } from '../../core/write-whole.ts';
import { runProcess } from '../process.ts';
import type { RootFile, TrustStore } from './trust-stores.ts';

export interface LocalRoot {
  readonly pem: string;
  readonly commonName: string;
  /** Hexadecimal, of the fingerprint. */
  readonly id: string;
}

export type TrustResult =
  | { readonly kind: 'done'; readonly store: TrustStore }
  /** The store belongs to the system, and we are not root. */
  | { readonly kind: 'needs-root'; readonly store: TrustStore }
  | { readonly kind: 'failed'; readonly store: TrustStore; readonly message: string };

export interface TrustJob {
  readonly action: 'add' | 'remove';
  readonly roots: readonly LocalRoot[];
  readonly stores: readonly TrustStore[];
  readonly isRoot: boolean;
}

const COMMAND_MS = 60_000;

export async function changeTrust({ action, roots, stores, isRoot }: TrustJob): Promise<TrustResult[]> {
  const results: TrustResult[] = [];
  for (const store of stores) {
    if (store.needsRoot && !isRoot) results.push({ kind: 'needs-root', store });
    else results.push(await changeStore(store, action, roots));
  }
  return results;
}

async function changeStore(
  store: TrustStore,
  action: 'add' | 'remove',
  roots: readonly LocalRoot[],
): Promise<TrustResult> {
  const scratch = mkdtempSync(join(tmpdir(), 'postern-ca-'));
  try {
    for (const root of roots) {
      const message = await changeOne(store, action, root, scratch);
      if (message !== null) return { kind: 'failed', store, message };
    }
    return { kind: 'done', store };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** Null where all went well. */
// oxlint-disable-next-line max-params -- one step of the loop above
async function changeOne(
  store: TrustStore,
  action: 'add' | 'remove',
  { pem, commonName, id }: LocalRoot,
  scratch: string,
): Promise<string | null> {
  const file = store.place?.(id) ?? join(scratch, `${id}.pem`);
  const root: RootFile = { id, commonName, file };
  try {
    if (store.place !== null && action === 'remove') rmSync(file, { force: true });
    else writeWhole(file, pem, { mode: 0o644 });
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  for (const argv of action === 'add' ? store.add(root) : store.remove(root)) {
    const message = await run(argv);
    if (message !== null) return message;
  }
  return null;
}

async function run(argv: readonly string[]): Promise<string | null> {
  const env = { PATH: `${process.env['PATH'] ?? '/usr/bin:/bin'}:/usr/sbin:/sbin`, HOME: process.env['HOME'] ?? '/' };
  const end = await runProcess({ argv, env, timeoutMs: COMMAND_MS }, new AbortController().signal);
  const command = argv.slice(0, 2).join(' ');
  if (end.kind === 'timeout') return `"${command}" did not end in a minute`;
  if (end.kind === 'failed') return `"${command}" cannot be run: ${end.reason}`;
  return end.code === 0 ? null : `"${command}" ended with code ${end.code ?? 'of a signal'}: ${end.output}`;
}
