/**
 * Joins certificates from CAs to the store, the workers and the document. Nothing of it is loaded before a
 * document has an `acme` section.
 */
import { systemClock } from '../core/clock.ts';
import { seal, unseal } from '../session/seal.ts';
import { ephemeralReason } from './ephemeral-folder.ts';
import type { DnsProviderSettings } from '../certs/dns/provider-type.ts';
import type { CertificateEntry } from '../certs/certificate-set.ts';
import type { Issuance } from '../certs/issuance/issuance.ts';
import type { Seal } from '../certs/issuance/issued.ts';
import type { AcmeDocument, AcmePolicy, Wanted } from '../certs/issuance/wanted.ts';
import type { SealKey } from '../session/seal.ts';
import type { Store } from '../store/sqlite.ts';
import type { TxtJournal } from '../certs/dns/dns-provider.ts';
import type { IssuanceStore } from '../core/issuance-store.ts';
import type { Demand } from '../certs/issuance/on-demand.ts';
import type { CompiledHost } from '../route/table.ts';
import type { OnDemandJoined, OnDemandPlace } from './on-demand.ts';
import type { ChallengeStage } from './challenge-answers.ts';
import type { TxtPublishers } from './txt-publishers.ts';

export interface Issuing {
  /** Reads what is stored, before a document with `acme` is prepared. */
  readonly prepareFor: (acme: AcmeDocument | null) => Promise<void>;
  /** The DNS providers of the document that goes live. */
  readonly useProviders: (dns: readonly DnsProviderSettings[]) => void;
  readonly entriesFor: (name: string, policy: AcmePolicy) => readonly CertificateEntry[];
  readonly want: (acme: AcmeDocument | null, wanted: readonly Wanted[]) => void;
  /** As `current`, but opened where there is none yet. */
  readonly open: () => Promise<Issuance>;
  /** Null while no document had an `acme` section. */
  readonly current: () => Issuance | null;
  /** Names that visitors asked for, to be provisioned. */
  readonly demanded: () => readonly string[];
  /** Somebody asks for a name that nothing is there for; true when there is, on every worker. */
  readonly demand: (name: string) => Promise<boolean>;
  readonly close: () => Promise<void>;
}

export interface IssuingDeps extends OnDemandPlace {
  readonly store: Pick<Store, 'issuance' | 'instance'>;
  readonly sealKey: SealKey;
  readonly dataDir: string;
  readonly stage: ChallengeStage;
  readonly version: string;
}

/** Many certificates that come at once make one new set, not one each. */
const GATHER_MS = 250;

export function createIssuing(deps: IssuingDeps): Issuing {
  let issuance: Issuance | null = null;
  let publishers: TxtPublishers | null = null;
  let opening: Promise<Issuance> | null = null;
  const changed = gather(() => void deps.onChange());
  let onDemand: OnDemandJoined | null = null;
  const make = async (): Promise<Issuance> => {
    const { Issuance } = await import('../certs/issuance/issuance.ts');
    const lost = ephemeralReason(deps.dataDir);
    if (lost !== null)
      deps.log.warn(
        { folder: deps.dataDir },
        `Data folder "${deps.dataDir}" ${lost}: certificates are lost with it, and CAs limit how often one is ordered anew; put it on a disk or a volume`,
      );
    const { createTxtPublishers } = await import('./txt-publishers.ts');
    const { createChallengeAnswers } = await import('./challenge-answers.ts');
    const providers = createTxtPublishers({ journal: journalOf(deps.store.issuance), log: deps.log });
    publishers = providers;
    const made = new Issuance({
      store: deps.store.issuance,
      seal: sealOf(deps.sealKey),
      answers: createChallengeAnswers({ stage: deps.stage, providers, log: deps.log }),
      clock: systemClock,
      logger: deps.log,
      holder: deps.store.instance,
      userAgent: `Postern/${deps.version}`,
      onChange: changed.call,
    });
    await made.load();
    issuance = made;
    const { joinOnDemand } = await import('./on-demand.ts');
    onDemand = joinOnDemand(made, deps);
    return made;
  };
  const open = (): Promise<Issuance> => {
    opening ??= make().catch((error: unknown) => {
      opening = null;
      throw error;
    });
    return opening;
  };
  return {
    async prepareFor(acme) {
      if (acme !== null) await open();
    },
    open,
    useProviders: (dns) => publishers?.use(dns),
    entriesFor: (name, policy) => issuance?.entriesFor(name, policy) ?? [],
    want: (acme, wanted) => issuance?.want(acme?.email ?? null, acme === null ? [] : wanted),
    current: () => issuance,
    demanded: () => onDemand?.names() ?? [],
    demand: (name) => onDemand?.demand(name) ?? Promise.resolve(false),
    async close() {
      changed.stop();
      onDemand?.close();
      await issuance?.close();
      publishers?.close();
    },
  };
}

/** The data folder's key, as rooms below take it. */
export function sealOf(key: SealKey): Seal {
  return {
    seal: (purpose, text) => seal(key, purpose, text),
    unseal: (purpose, sealed) => unseal(key, purpose, sealed),
  };
}

function journalOf(store: IssuanceStore): TxtJournal {
  return {
    add: (record) => store.addTxt(record),
    remove: (record) => store.removeTxt(record),
    list: () => store.listTxt(),
  };
}

/** The first call at once, those that follow soon together. */
function gather(run: () => void): { call: () => void; stop: () => void } {
  let timer: NodeJS.Timeout | null = null;
  let isMissed = false;
  const call = (): void => {
    if (timer !== null) {
      isMissed = true;
      return;
    }
    run();
    timer = setTimeout(() => {
      timer = null;
      if (!isMissed) return;
      isMissed = false;
      call();
    }, GATHER_MS).unref();
  };
  return {
    call,
    stop() {
      if (timer !== null) clearTimeout(timer);
    },
  };
}

/** Whether a handshake may lead to an order. */
export function demandOf(host: CompiledHost | null, name: string): Demand {
  if (host?.config.tls.kind !== 'acme' || !host.config.tls.onDemand) return { kind: 'none' };
  return { kind: host.name === name ? 'listed' : 'ask' };
}
