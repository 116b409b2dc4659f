/** Certificates of a data folder that no Postern uses: seen, added and removed. Nothing is ordered. */
import { systemClock } from '../core/clock.ts';
import { createLogger } from '../core/log.ts';
import { sealOf } from './issuing.ts';
import type { SealKey } from '../session/seal.ts';
import type { Store } from '../store/sqlite.ts';
import type { CertificateOperations } from './certificates.ts';

export type OfflineCertificateOperations = Pick<
  CertificateOperations,
  'cert.list' | 'cert.inventory' | 'cert.show' | 'cert.add' | 'cert.import' | 'cert.remove'
>;

export interface OfflineCertificates {
  readonly operations: OfflineCertificateOperations;
  readonly close: () => Promise<void>;
}

export function openCertificatesOffline(store: Store, sealKey: SealKey): OfflineCertificates {
  let opened: ReturnType<typeof open> | null = null;
  const all = async (): Promise<CertificateOperations> => {
    opened ??= open(store, sealKey);
    return (await opened).operations;
  };
  return {
    operations: {
      'cert.list': async () => (await all())['cert.list'](),
      'cert.inventory': async () => (await all())['cert.inventory'](),
      'cert.show': async (input) => (await all())['cert.show'](input),
      'cert.add': async (input) => (await all())['cert.add'](input),
      'cert.import': async (input) => (await all())['cert.import'](input),
      'cert.remove': async (input) => (await all())['cert.remove'](input),
    },
    close: async () => (await opened)?.close(),
  };
}

/** What certificates need is loaded only for a command that is about them. */
async function open(
  store: Store,
  sealKey: SealKey,
): Promise<{ readonly operations: CertificateOperations; readonly close: () => Promise<void> }> {
  const { Issuance } = await import('../certs/issuance/issuance.ts');
  const { Uploads } = await import('../certs/upload/uploads.ts');
  const { createCertificateOperations } = await import('./certificates.ts');
  const [seal, clock] = [sealOf(sealKey), systemClock];
  const logger = createLogger({ level: 'warn', format: 'pretty', destination: 2 });
  const uploads = new Uploads({ store: store.uploads, seal, clock, logger });
  await uploads.load();
  // It is told of no document, so it orders nothing.
  const issuance = new Issuance({
    store: store.issuance,
    seal,
    answers: {
      answersBy() {
        throw new TypeError('Cannot answer challenges: no Postern runs');
      },
    },
    clock,
    logger,
    holder: store.instance,
    userAgent: 'Postern',
    onChange: () => undefined,
  });
  await issuance.load();
  const operations = createCertificateOperations({
    uploads,
    issuance: () => issuance,
    issuedSince: (at) => store.issuance.listIssuedSince(at),
    openIssuance: async () => issuance,
    // The document is not known here.
    isAcmeOn: () => true,
    set: () => null,
    apply: async () => undefined,
  });
  return {
    operations,
    async close() {
      await issuance.close();
      await logger.close();
    },
  };
}
