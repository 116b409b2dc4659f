/**
 * The control thread of a gateway: opens the store, prepares the document, starts the workers, hands them
 * one snapshot, serves operators, and ends everything in order. Serves no visitor by itself but through
 * the workers' calls.
 */
import { randomBytes } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { systemClock } from '../core/clock.ts';
import { LINK_PROVIDER } from '../core/person.ts';
import { assertMoreOpenFiles, assertOpenFiles } from '../core/open-files.ts';
import { PosternError } from '../core/errors.ts';
import { createLogger, logFormatFor } from '../core/log.ts';
import type { Document } from '../config/document.ts';
import { createCertificateKeeper } from '../certs/certificate-keeper.ts';
import { Deployer } from '../certs/deploy.ts';
import { Uploads } from '../certs/upload/uploads.ts';
import { startWorkerPool } from '../edge/worker-pool.ts';
import { createAccounts, LOCAL_PROVIDER } from '../session/accounts.ts';
import { createFactors } from '../session/factors.ts';
import { createAssertionKeys } from '../session/assertion-keys.ts';
import { createHashPool } from '../session/hash-pool.ts';
import { createSealKey } from '../session/seal.ts';
import { createServicePasswords } from '../session/service-passwords.ts';
import { createLinks } from '../session/links.ts';
import { createServiceTokens } from '../session/service-tokens.ts';
import { createSessions, type SessionLimits } from '../session/sessions.ts';
import { warnOfOpenFolder } from './open-folder.ts';
import { openStore } from '../store/sqlite.ts';
import { createBearerDesk } from './bearer-desk.ts';
import { createRecognition } from '../sign-in/admission.ts';
import { createTokenDesk, type TokenDesk } from './token-desk.ts';
import { openControlSocket } from './control-socket.ts';
import { forgetFirstLink, offerFirstLink } from './first-administrator.ts';
import { createIssuing, demandOf, sealOf } from './issuing.ts';
import { Health } from './health.ts';
import { createOperations } from './operations.ts';
import { startPeriodicWork, sweepFailed, TICKET_KEYS_BYTES } from './periodic-work.ts';
import { prepare } from './prepare.ts';
import { createReload, newRevision, workersNote } from './reload.ts';
import { createSignInDesk } from './sign-in-desk.ts';
import { rememberSignInOrigin, setPasswordUrl } from './sign-in-origin.ts';
import { inheritedSockets } from './socket-activation.ts';
import { watchStore } from './store-watch.ts';
import { leftNameWarnings } from './left-names.ts';
import { unsignedLinksWarning } from './links.ts';
import { upstreamWarnings } from './upstream-warnings.ts';
import { watchDescriptors } from './watch-descriptors.ts';
import { assertAddressesFree } from './new-addresses.ts';
import { authorityOf } from './provider-authority.ts';
import { passesTokens, withoutSecrets } from './worker-document.ts';
import type { OwnedLogger } from '../core/log.ts';
import type { DocumentSource } from './document-source.ts';
import type { FirstLink } from './first-administrator.ts';
import type { PrepareCertificates, Prepared } from './prepare.ts';
import type { ReloadAnswer } from './reload.ts';

export interface GatewayOptions {
  readonly source: DocumentSource;
  readonly dataDir: string;
  readonly version: string;
  readonly isTerminal: boolean;
  /** The thread of the first edge worker, which may load its modules while this one loads its own. */
  readonly firstThread?: Worker;
  /** Called when the workers cannot be kept alive. */
  readonly onFatal: (error: PosternError) => void;
}

export interface Gateway {
  readonly log: OwnedLogger;
  readonly revision: () => string;
  readonly prepared: () => Prepared;
  readonly workers: number;
  readonly firstLink: FirstLink | null;
  /** Warnings of the first document, as people read them. */
  readonly warnings: string;
  readonly reload: () => Promise<ReloadAnswer>;
  /** Answers what runs, then ends. */
  readonly close: () => Promise<void>;
}

/** Rejects with one PosternError where something is in the way; then nothing is left pool. */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const closers: (() => Promise<unknown> | void)[] = [];
  try {
    return await start(options, closers);
  } catch (error) {
    for (const close of closers.toReversed()) await close();
    throw error;
  }
}

// oxlint-disable-next-line max-lines-per-function -- one list, in the order in which things depend on each other
async function start(options: GatewayOptions, closers: (() => Promise<unknown> | void)[]): Promise<Gateway> {
  const { source, dataDir, isTerminal } = options;
  const first = source.read();
  const loaded = first.result.document;
  const settings = loaded?.log ?? { level: 'info', format: 'auto' };
  const format = logFormatFor(settings.format, 1);
  const log = createLogger({ level: settings.level, format, destination: 1 });
  closers.push(() => log.close());
  const descriptors = watchDescriptors(log);
  closers.push(() => descriptors.close());

  const store = openStore(dataDir);
  closers.push(() => store.close());
  warnOfOpenFolder(dataDir, log);
  let live: { prepared: Prepared; revision: string } | null = null;
  const now = (): Prepared => {
    if (live === null) throw new PosternError('INTERNAL', 'Cannot serve: no document is live yet');
    return live.prepared;
  };
  const sealKey = createSealKey(store.sealKey);
  const limits = (): SessionLimits => now().document.session;
  const sessions = createSessions({ store: store.sessions, clock: systemClock, sealKey, limits });
  closers.push(() => sessions.flush());
  const hasLocalAccounts = (): boolean => now().document.providers.some(({ type }) => type === 'local');
  const accounts = createAccounts({
    store: store.accounts,
    sessions,
    clock: systemClock,
    provider: LOCAL_PROVIDER,
    isOffered: hasLocalAccounts,
  });
  const { instance } = store;
  const tokens = createServiceTokens({ store: store.tokens, audit: store.accounts, clock: systemClock, instance });
  const links = createLinks({
    store: store.links,
    audit: store.accounts,
    clock: systemClock,
    sealKey,
    revokeSessions: (provider, subject) => sessions.revokeByPerson(provider, subject),
  });
  const factors = createFactors({ store: store.factors, clock: systemClock, sealKey });
  const assertionKeys = createAssertionKeys({
    store: store.signingKeys,
    clock: systemClock,
    sealKey,
    onChange: (key) => pool.replaceAssertionKey(key),
  });
  const hashPool = createHashPool();
  closers.push(() => hashPool.close());
  const services = (): ReadonlyMap<string, readonly string[]> =>
    new Map(now().document.services.map((one) => [one.name, one.passwordHashes]));
  const tokenDesk: TokenDesk = createTokenDesk({
    sessions,
    renew: (key) => desk.refresher.renew(key),
    table: () => now().table,
    clock: systemClock,
    warn: (message, facts) => log.warn(facts, message),
  });
  const bearers = createBearerDesk({
    providers: { find: (id) => desk.providers.find(id) },
    recognise: createRecognition(sessions),
    clock: systemClock,
    log,
    onEnded: (keys) => void pool.sessionsChanged([{ kind: 'revoked', keys }]),
  });
  const desk = createSignInDesk({
    sessions,
    accounts,
    links,
    factors,
    hashPool,
    sealKey,
    instance: store.instance,
    log,
    prepared: now,
    jwks: () => assertionKeys.published(),
    hasEndedTokens: tokenDesk.hasEnded,
    onPasswordSet: () => forgetFirstLink(dataDir),
    onKeysGone: bearers.endByKeys,
  });
  // Behind whoever signs in, and before the store: what a provider answered meanwhile is kept.
  closers.push(() => desk.close());

  const sockets = inheritedSockets();
  // Each inherited socket can be in one worker only.
  const workersOf = (wanted: number): number =>
    Object.keys(sockets).length > 0 ? 1 : wanted || availableParallelism();
  const storeWatch = watchStore({ sessions, clock: systemClock });
  closers.push(storeWatch.stop);
  if (loaded !== null) assertOpenFiles({ count: workersOf(loaded.workers), addresses: addressesOf(loaded) });
  // They load their modules while the document is being prepared.
  const pool = startWorkerPool({
    count: workersOf(loaded?.workers ?? 0),
    firstThread: options.firstThread,
    boot: {
      instance: store.instance,
      logLevel: settings.level,
      logFormat: format,
      colours: isTerminal && format === 'pretty',
      ticketKeys: randomBytes(TICKET_KEYS_BYTES),
      assertionKey: null,
      inheritedSockets: sockets,
    },
    control: {
      findSession: (key) => sessions.find(key),
      findToken: (key) => tokens.find(key),
      verifyBearer: bearers.verify,
      findTokens: tokenDesk.find,
      verifyPassword: createServicePasswords({ pool: hashPool, services }),
      handleInternal: desk.handle,
      beginSignIn: desk.begin,
      touchSessions: (seen) => sessions.touch(seen),
      touchTokens: (seen) => tokens.touch(seen),
      async demandCertificate(name) {
        // Workers have a set a moment before the keeper adopts it.
        const late =
          keeper.certificateOnVisit(name) ?? keeper.certificateOnVisit(name, live?.prepared.certificates.set);
        if (late === null) return issuing.demand(name);
        await pool.addCertificate(late);
        return true;
      },
    },
    log,
    isStoreAnswering: storeWatch.isAnswering,
    onGiveUp(error) {
      log.flushSync();
      options.onFatal(error);
    },
  });
  const stopTelling = sessions.onChange((change) => {
    if (change.kind !== 'tokens' || passesTokens(now().document)) void pool.sessionsChanged([change]);
  });
  closers.push(
    stopTelling,
    tokens.onRevoked((keys) => pool.sessionsChanged([{ kind: 'revoked', keys }])),
    // Telling stops only when it has ended: whoever signs out meanwhile has downloads that go on.
    () => pool.drain(live === null ? 0 : now().document.limits.drainMs),
  );
  const issuing = createIssuing({
    store,
    sealKey,
    stage: pool,
    dataDir,
    log,
    version: options.version,
    onChange: () => keeper.review(),
    demandFor: (name) => demandOf(live?.prepared.table.findHost(name) ?? null, name),
    onDemand: () => live?.prepared.document.acme?.onDemand ?? null,
  });
  const uploads = new Uploads({ store: store.uploads, seal: sealOf(sealKey), clock: systemClock, logger: log });
  await uploads.load();
  const deployer = new Deployer({ logger: log });
  closers.push(() => deployer.close());
  const keeper = createCertificateKeeper({
    caDirectory: join(dataDir, 'ca'),
    clock: systemClock,
    logger: log,
    onChange: (set) => {
      pool.replaceCertificates(set);
      void deployer.deploy(set, live?.prepared.document.tls.deployTo ?? []);
    },
    issued: issuing.entriesFor,
    demanded: issuing.demanded,
    uploaded: () => uploads.entries,
    onWanted: ({ document, wanted }) => issuing.want(document.acme, wanted),
  });
  closers.push(() => keeper.close());
  await assertionKeys.tick();
  closers.push(() => issuing.close());
  const provision: PrepareCertificates = async (document) => {
    await issuing.prepareFor(document.acme);
    return keeper.prepare(document);
  };
  const { prepared, printed } = await prepare({ name: source.name, read: () => first }, provision, isTerminal);
  if (prepared === null) throw new PosternError('CONFIG_INVALID', `Cannot start with "${source.name}":\n${printed}`);

  const health = new Health({
    pool,
    version: options.version,
    certificates: () => keeper.current() ?? now().certificates.set,
    issuance: issuing.current,
    uploads: () => uploads.entries,
    reload: () => lastReload,
    notServing: () =>
      storeWatch.silentMs() <= now().document.session.staleForMs
        ? null
        : 'the store does not answer for longer than session.stale_for',
  });
  // At the very end: until then it tells load balancers that it is not ready any more.
  closers.unshift(() => health.close());
  let lastReload = { at: Date.now(), succeeded: true };

  const goLive = async (next: Prepared, revision: string): Promise<void> => {
    const { document, certificates } = next;
    const before = live;
    if (before !== null) {
      const count = Math.max(pool.count, Math.min(workersOf(document.workers), pool.most));
      const running = { count: pool.count, addresses: addressesOf(before.prepared.document) };
      assertMoreOpenFiles(running, { count, addresses: addressesOf(document) });
    }
    await assertAddressesFree(document.listen, before?.prepared.document.listen ?? null, sockets);
    const providers = await desk.providers.prepare(document.providers);
    const move = await health.move(document.listen.health);
    live = { prepared: next, revision };
    // Before the workers: they ask at once about tokens that the new document reads otherwise.
    const swapped = desk.providers.adopt(providers);
    try {
      await pool.apply(
        { revision, document: withoutSecrets(document), certificates: certificates.set },
        workersOf(document.workers),
      );
    } catch (error) {
      live = before ?? live;
      swapped.undo();
      await move.discard();
      throw error;
    }
    await move.adopt();
    issuing.useProviders(document.dns);
    keeper.adopt(certificates);
    void deployer.deploy(certificates.set, document.tls.deployTo);
    // What a CA issued, somebody uploaded or a file became since the document was prepared.
    if (document.acme !== null || before !== null) void keeper.review();
    swapped.settle();
    await sessions.revokeStrangers(
      (provider, authority) =>
        provider === LINK_PROVIDER ||
        document.providers.some((one) => one.id === provider && authorityOf(one) === authority),
    );
    // A shorter lifetime has ended them, and a longer one must not bring them back. The document serves by now: what
    // fails here is tried again with the next sweep.
    if (before !== null) await sessions.sweep().catch(sweepFailed(log));
    for (const warning of leftNameWarnings(document.providers, await sessions.countNames())) log.warn({}, warning);
    rememberSignInOrigin(dataDir, document.signIn.url);
    for (const warning of upstreamWarnings(document)) log.warn({}, warning);
  };
  await goLive(prepared, newRevision());
  const current = (): { prepared: Prepared; revision: string } => live ?? { prepared, revision: '' };

  let isClosing: Promise<void> | null = null;
  const reload = createReload({
    source,
    certificates: provision,
    log,
    goLive,
    isEnding: () => isClosing !== null,
    current: () => ({ revision: current().revision, document: now().document }),
    needsRestart: (document) => workersNote(workersOf(document.workers), pool),
    onDone: (succeeded) => {
      lastReload = { at: succeeded ? Date.now() : lastReload.at, succeeded };
    },
  });
  const linkUrl = (token: string): string | null => setPasswordUrl(now().document.signIn.url, token);
  const operations = createOperations({
    accounts,
    factors,
    sessions,
    tokens,
    links,
    assertionKeys,
    linkUrl,
    certificates: {
      issuance: issuing.current,
      issuedSince: (at) => store.issuance.listIssuedSince(at),
      openIssuance: issuing.open,
      isAcmeOn: () => now().document.acme !== null,
      uploads,
      set: keeper.current,
      apply: keeper.review,
    },
    reload,
    prepared: now,
    revision: () => current().revision,
    version: options.version,
  });
  const socket = await openControlSocket(dataDir, operations);
  closers.push(() => socket.close());

  const stopWork = startPeriodicWork({ log, sessions, refresher: desk.refresher, assertionKeys, pool });
  closers.push(() => {
    stopWork();
    void desk.refresher.end();
  });
  await accounts.reconcile();
  const unsigned = await unsignedLinksWarning(links, systemClock.now());
  if (unsigned !== null) log.warn({}, unsigned);
  const firstLink = hasLocalAccounts() ? await offerFirstLink(accounts, linkUrl, { dataDir, isTerminal }) : null;
  return {
    log,
    workers: pool.count,
    firstLink,
    warnings: printed,
    reload,
    revision: () => current().revision,
    prepared: now,
    close() {
      isClosing ??= closeAll(closers, () => health.setDraining());
      return isClosing;
    },
  };
}

/** In the opposite order of opening: first whoever brings work, at last the store and the log. */
async function closeAll(closers: (() => Promise<unknown> | void)[], setDraining: () => void): Promise<void> {
  setDraining();
  for (const close of closers.toReversed()) await close();
}

function addressesOf({ listen }: Pick<Document, 'listen'>): number {
  return listen.http.length + listen.https.length;
}
