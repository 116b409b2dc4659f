/**
 * Runs an operation on the Postern that uses a data folder: through its control socket where one runs,
 * else in this process on the store itself.
 */
import { PosternError } from '../core/errors.ts';
import { askControl } from './ask-control.ts';
import type { OfflineCertificateOperations } from '../control/offline-certificates.ts';
import type { LinkOperations } from '../control/links.ts';
import type { PeopleOperations } from '../control/people.ts';
import type { TokenOperations } from '../control/tokens.ts';

/** What works on the store alone too. */
type StoreOperations = PeopleOperations & TokenOperations & LinkOperations & OfflineCertificateOperations;

/** Accounts and certificates may be there before the first start; nothing else can. */
const BEFORE_FIRST_START: ReadonlySet<string> = new Set(['user.add', 'cert.add', 'cert.import']);
const NOBODY_LISTENS: ReadonlySet<string> = new Set(['ENOENT', 'ECONNREFUSED', 'ENOTDIR']);

export async function runOperation<K extends keyof StoreOperations>(
  dataDir: string,
  operation: K,
  input: unknown,
): Promise<Awaited<ReturnType<StoreOperations[K]>>> {
  type Answer = Awaited<ReturnType<StoreOperations[K]>>;
  try {
    return (await askControl(dataDir, operation, input)) as Answer;
  } catch (error) {
    if (!(error instanceof PosternError) || !NOBODY_LISTENS.has(String(error.facts['cause']))) throw error;
  }
  const { openOffline } = await import('../control/offline.ts');
  const offline = await openOffline(dataDir, {
    mayCreate: BEFORE_FIRST_START.has(operation),
    needsSessions: operation.startsWith('sessions.'),
  });
  try {
    const run = offline.operations[operation] as unknown as (value: unknown) => Promise<Answer>;
    return await run(input);
  } finally {
    await offline.close();
  }
}
