/**
 * The health listener of a gateway: ready once a document is live, until it is told to end. A reload may
 * move it: the new address is opened beside the old one, which stays until the document is live.
 */
import { openHealthServer } from '../observe/health.ts';
import { mergeSnapshots } from '../observe/metrics.ts';
import { metricsText } from '../observe/metrics-text.ts';
import { issuanceFamilies, issuanceWarnings } from './issuance-metrics.ts';
import { uploadFamilies, uploadWarnings } from './uploaded-certificates.ts';
import type { CertificateEntry, CertificateSet } from '../certs/certificate-set.ts';
import type { Issuance } from '../certs/issuance/issuance.ts';
import type { ListenAddress } from '../config/document.ts';
import type { WorkerPool } from '../edge/worker-pool.ts';
import type { HealthServer } from '../observe/health.ts';

export interface HealthDeps {
  readonly pool: WorkerPool;
  readonly version: string;
  readonly certificates: () => CertificateSet;
  readonly issuance: () => Issuance | null;
  /** What operators uploaded. */
  readonly uploads: () => readonly CertificateEntry[];
  readonly reload: () => { readonly at: number; readonly succeeded: boolean };
  /** Why requests of people cannot be served, or null: e.g. the store is away for longer than sessions last without it. */
  readonly notServing: () => string | null;
}

/** What one of two listeners becomes. */
export interface Move {
  readonly adopt: () => Promise<void>;
  readonly discard: () => Promise<void>;
}

const STAY: Move = { adopt: () => Promise.resolve(), discard: () => Promise.resolve() };

export class Health {
  readonly #deps: HealthDeps;
  #address: ListenAddress | null = null;
  #server: HealthServer | null = null;
  #notReady: string | null = 'it is starting';

  constructor(deps: HealthDeps) {
    this.#deps = deps;
  }

  /** Null: the document wants none. Rejects with LISTEN_FAILED, and the one that runs stays. */
  async move(address: ListenAddress | null): Promise<Move> {
    const isSame = address?.host === this.#address?.host && address?.port === this.#address?.port;
    if (isSame && this.#notReady === null) return STAY;
    const next = address === null ? null : await this.#open(address);
    return {
      adopt: async () => {
        const before = this.#server;
        this.#notReady = null;
        this.#server = next;
        this.#address = address;
        await before?.close();
      },
      discard: async () => next?.close(),
    };
  }

  /** From now on "not ready": load balancers look elsewhere while open requests are answered. */
  setDraining(): void {
    this.#notReady = 'it is ending';
  }

  async close(): Promise<void> {
    await this.#server?.close();
  }

  readonly #why = (): string | null => this.#notReady ?? this.#deps.notServing();

  #open({ host, port }: ListenAddress): Promise<HealthServer> {
    const { pool, version, reload, certificates, issuance, uploads } = this.#deps;
    return openHealthServer({
      host,
      port,
      names: [],
      notReady: this.#why,
      warnings: () => [
        ...issuanceWarnings(issuance(), certificates(), Date.now()),
        ...uploadWarnings(uploads(), Date.now()),
      ],
      metrics: async () =>
        metricsText({
          snapshot: mergeSnapshots(await pool.metrics()),
          version,
          workers: pool.count,
          isReady: this.#why() === null,
          reload: reload(),
          certificates: certificates().certificates,
          more: [...issuanceFamilies(issuance()), ...uploadFamilies(uploads(), Date.now())],
        }),
    });
  }
}
