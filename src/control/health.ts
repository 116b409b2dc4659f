/** Opens the health listener of a gateway: ready once a document is live, until it is told to end. */
import { openHealthServer } from '../observe/health.ts';
import { mergeSnapshots } from '../observe/metrics.ts';
import { metricsText } from '../observe/metrics-text.ts';
import { issuanceFamilies, issuanceWarnings } from './issuance-metrics.ts';
import type { CertificateSet } from '../certs/certificate-set.ts';
import type { Issuance } from '../certs/issuance/issuance.ts';
import type { ListenAddress } from '../config/document.ts';
import type { WorkerPool } from '../edge/worker-pool.ts';

export interface HealthDeps {
  /** Null: the document wants none. */
  readonly address: ListenAddress | null;
  readonly pool: WorkerPool;
  readonly version: string;
  readonly workers: number;
  readonly certificates: () => CertificateSet;
  readonly issuance: () => Issuance | null;
  readonly reload: () => { readonly at: number; readonly succeeded: boolean };
  /** Why requests of people cannot be served, or null: e.g. the store is away for longer than sessions last without it. */
  readonly notServing: () => string | null;
}

export interface Health {
  /** From now on "not ready": load balancers look elsewhere while open requests are answered. */
  readonly setDraining: () => void;
  readonly close: () => Promise<void>;
}

export async function openHealth(deps: HealthDeps): Promise<Health> {
  let isDraining = false;
  const { address } = deps;
  const notReady = (): string | null => (isDraining ? 'it is ending' : deps.notServing());
  const server =
    address === null
      ? null
      : await openHealthServer({
          host: address.host,
          port: address.port,
          names: [],
          notReady,
          warnings: () => issuanceWarnings(deps.issuance()),
          metrics: async () =>
            metricsText({
              snapshot: mergeSnapshots(await deps.pool.metrics()),
              version: deps.version,
              workers: deps.workers,
              isReady: notReady() === null,
              reload: deps.reload(),
              certificates: deps.certificates().certificates,
              more: issuanceFamilies(deps.issuance()),
            }),
        });
  return {
    setDraining() {
      isDraining = true;
    },
    close: async () => server?.close(),
  };
}
