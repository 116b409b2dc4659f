/**
 * One client and one account for each CA: made when first needed, the account's key sealed in the store before
 * the CA sees it, so that a crash in between leaves no account that nobody has the key of.
 */
import { changeAccountKey, createAccount, deactivateAccount, findAccount, updateContacts } from '../acme/account.ts';
import { AcmeClient } from '../acme/client.ts';
import { AcmeFailure, isDeadAccount } from '../acme/failure.ts';
import { createHttps, type Https } from '../acme/https.ts';
import { accountKeyOf, newAccountKeyPem, type Signer } from '../acme/jws.ts';
import type { Clock } from '../../core/clock.ts';
import type { IssuanceStore, StoredAccount } from '../../core/issuance-store.ts';
import type { Logger } from '../../core/log.ts';
import type { Seal } from './issued.ts';
import type { AcmeCa } from './wanted.ts';

export const ACCOUNT_PURPOSE = 'acme-account-key';
/** Before the binding of a row that holds a key which is to take over. No key id of a CA has a space. */
const NEXT = 'next ';

export interface CaSession {
  readonly client: AcmeClient;
  readonly signer: Signer;
}

export interface CaSessionsDeps {
  readonly store: IssuanceStore;
  readonly seal: Seal;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly userAgent: string;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly connect?: (ca: AcmeCa) => Https;
}

interface Held {
  readonly client: AcmeClient;
  readonly https: Https;
}

export class CaSessions {
  readonly #deps: CaSessionsDeps;
  readonly #clients = new Map<string, Held>();
  readonly #accounts = new Map<string, Promise<Signer>>();
  readonly #repairs = new Map<string, { readonly count: number; readonly done: Promise<void> }>();
  /** What the CAs were told last, in this process. */
  readonly #contacts = new Map<string, string | null>();

  constructor(deps: CaSessionsDeps) {
    this.#deps = deps;
  }

  clientOf(ca: AcmeCa): AcmeClient {
    const key = `${ca.directory}\0${ca.rootsPem ?? ''}`;
    const known = this.#clients.get(key);
    if (known !== undefined) return known.client;
    const { clock, sleep, userAgent, connect } = this.#deps;
    const https = connect?.(ca) ?? createHttps({ roots: ca.rootsPem, userAgent });
    const client = new AcmeClient({ directoryUrl: ca.directory, name: ca.name, https, clock, sleep });
    this.#clients.set(key, { client, https });
    return client;
  }

  /** The account with a CA; orders that begin at once share one. */
  async open(ca: AcmeCa, email: string | null, signal: AbortSignal): Promise<CaSession> {
    const client = this.clientOf(ca);
    const key = accountKeyFor(ca);
    const session = { client, signer: await this.#shareAccount(client, ca, email, signal) };
    await this.#tellContact(session, key, email, signal);
    return session;
  }

  // oxlint-disable-next-line max-params -- what `#openAccount` takes
  async #shareAccount(client: AcmeClient, ca: AcmeCa, email: string | null, signal: AbortSignal): Promise<Signer> {
    const key = accountKeyFor(ca);
    const known = this.#accounts.get(key);
    if (known !== undefined)
      return known.catch((error: unknown) => {
        // Whoever opened it has given up, which is nothing to others.
        if (error instanceof AcmeFailure || signal.aborted) throw error;
        return this.#shareAccount(client, ca, email, signal);
      });
    const opened = this.#openAccount(client, ca, email, signal);
    this.#accounts.set(key, opened);
    opened.catch(() => {
      if (this.#accounts.get(key) === opened) this.#accounts.delete(key);
    });
    return opened;
  }

  /** The account that is there already; null where none was ever made. */
  async known(ca: AcmeCa): Promise<CaSession | null> {
    const stored = await this.#deps.store.findAccount(ca.directory, bindingOf(ca));
    const pem = stored === null ? null : this.#deps.seal.unseal(ACCOUNT_PURPOSE, stored.sealedKey);
    if (stored === null || stored.url === null || pem === null) return null;
    return { client: this.clientOf(ca), signer: { key: await accountKeyOf(pem), kid: stored.url } };
  }

  /** How often the account with a CA was repaired: whoever failed with the one of before says so. */
  repairs(ca: AcmeCa): number {
    return this.#repairs.get(accountKeyFor(ca))?.count ?? 0;
  }

  /**
   * True where the account was what was wrong and the next `open` makes another: one that the CA knows no more, with the
   * same key; one that was deactivated (as "certbot unregister" does with an account that was taken over), with a new key.
   * Of many orders that fail by it at once the first one repairs it, and CAs limit how many accounts are made.
   */
  async repair(ca: AcmeCa, error: unknown, since: number): Promise<boolean> {
    const problem = error instanceof AcmeFailure ? error.problem : null;
    const isUnknown = problem?.type === 'accountDoesNotExist';
    const isEnded = problem?.type === 'unauthorized' && /account.*deactivated/i.test(problem.detail);
    if (!isUnknown && !isEnded) return false;
    const key = accountKeyFor(ca);
    const last = this.#repairs.get(key);
    if (last !== undefined && last.count > since) {
      await last.done;
      return true;
    }
    const done = this.#renewAccount(ca, isUnknown);
    this.#repairs.set(key, { count: since + 1, done });
    await done;
    return true;
  }

  async #renewAccount(ca: AcmeCa, isUnknown: boolean): Promise<void> {
    const { store, logger } = this.#deps;
    this.#accounts.delete(accountKeyFor(ca));
    const stored = await store.findAccount(ca.directory, bindingOf(ca));
    if (stored !== null && isUnknown) await store.updateAccount({ ...stored, url: null });
    if (stored !== null && !isUnknown) await store.deleteAccount(stored.directory, stored.binding);
    const why = isUnknown ? 'the CA knows it no more' : 'it has been deactivated elsewhere';
    logger.warn({ code: 'ACME_FAILED', ca: ca.name }, `Making the account at ${ca.name} anew: ${why}`);
  }

  /**
   * A new key for the account (RFC 8555 section 7.3.5). It is in the store before the CA hears of it: whichever of
   * the two the CA knows after a crash, it is found out at the next order.
   */
  async rotateKey(ca: AcmeCa, signal: AbortSignal): Promise<void> {
    const { store, seal } = this.#deps;
    const session = await this.#knownOrRefuse(ca, 'change the account key');
    const sealedKey = seal.seal(ACCOUNT_PURPOSE, newAccountKeyPem());
    const next = await store.insertAccount({ ...this.#place(ca, true), url: null, sealedKey });
    const key = await accountKeyOf(seal.unseal(ACCOUNT_PURPOSE, next.sealedKey) ?? '');
    try {
      await changeAccountKey(session.client, session.signer, key, signal);
    } catch (error) {
      // The answer may have been lost on the way: the CA is asked which of the two it knows.
      this.#accounts.delete(accountKeyFor(ca));
      await this.#settleRotation(session.client, ca, signal).catch(() => undefined);
      const now = await store.findAccount(ca.directory, bindingOf(ca));
      if (now?.sealedKey === next.sealedKey) return;
      throw error;
    }
    await this.#promote(ca, next, session.signer.kid);
  }

  /** For ever: the CA takes no orders of this account any more. The next order makes another one. */
  async deactivate(ca: AcmeCa, signal: AbortSignal): Promise<void> {
    const { client, signer } = await this.#knownOrRefuse(ca, 'deactivate the account');
    try {
      await deactivateAccount(client, signer, signal);
    } catch (error) {
      const problem = error instanceof AcmeFailure ? error.problem : null;
      // It is at its end already, whoever did it: what is left to do is to forget it.
      if (problem?.type !== 'accountDoesNotExist' && !isDeadAccount(problem?.detail ?? '')) throw error;
    }
    const { directory, binding } = this.#place(ca);
    await this.#deps.store.deleteAccount(directory, binding);
    this.#accounts.delete(accountKeyFor(ca));
  }

  close(): void {
    for (const { https } of this.#clients.values()) https.close();
  }

  async #knownOrRefuse(ca: AcmeCa, what: string): Promise<CaSession> {
    const session = await this.known(ca);
    if (session !== null) return session;
    const because = 'there is none in this data folder';
    throw new AcmeFailure({ kind: 'refused', step: `${what} at ${ca.name}`, because });
  }

  /** `isNext`: the row of a key that is to take over. */
  #place(ca: AcmeCa, isNext = false): Pick<StoredAccount, 'directory' | 'binding'> {
    return { directory: ca.directory, binding: `${isNext ? NEXT : ''}${bindingOf(ca)}` };
  }

  async #promote(ca: AcmeCa, next: StoredAccount, url: string | null): Promise<void> {
    const { store } = this.#deps;
    await store.updateAccount({ ...this.#place(ca), url, sealedKey: next.sealedKey });
    await store.deleteAccount(next.directory, next.binding);
    this.#accounts.delete(accountKeyFor(ca));
  }

  /** A change of the key that was broken off: the CA knows one of the two. */
  async #settleRotation(client: AcmeClient, ca: AcmeCa, signal: AbortSignal): Promise<void> {
    const { store, seal } = this.#deps;
    const place = this.#place(ca, true);
    const next = await store.findAccount(place.directory, place.binding);
    if (next === null) return;
    const pem = seal.unseal(ACCOUNT_PURPOSE, next.sealedKey);
    try {
      if (pem === null)
        throw new AcmeFailure({ kind: 'refused', step: 'use the new account key', because: 'it is lost' });
      await this.#promote(ca, next, await findAccount(client, await accountKeyOf(pem), signal));
    } catch (error) {
      if (!(error instanceof AcmeFailure) || error.kind !== 'refused') throw error;
      await store.deleteAccount(place.directory, place.binding);
    }
  }

  async #openAccount(client: AcmeClient, ca: AcmeCa, email: string | null, signal: AbortSignal): Promise<Signer> {
    const { store, seal } = this.#deps;
    await this.#settleRotation(client, ca, signal);
    const account = await this.#accountOf(ca);
    const key = await accountKeyOf(seal.unseal(ACCOUNT_PURPOSE, account.sealedKey) ?? '');
    if (account.url !== null) return { key, kid: account.url };
    const { meta } = await client.directory(signal);
    if (meta?.termsOfService !== undefined) {
      const facts = { ca: client.name, terms: meta.termsOfService };
      this.#deps.logger.info(
        facts,
        `Creating an account at ${client.name}: "acme" in the document agrees to its terms`,
      );
    }
    const kid = await createAccount(client, { key, email, eab: ca.eab }, signal);
    this.#contacts.set(accountKeyFor(ca), email);
    await store.updateAccount({ ...account, url: kid });
    return { key, kid };
  }

  /** A key that cannot be unsealed is of another data folder: the account is lost, and a new one is made. */
  async #accountOf(ca: AcmeCa): Promise<StoredAccount> {
    const { store, seal } = this.#deps;
    const binding = bindingOf(ca);
    const stored = await store.findAccount(ca.directory, binding);
    if (stored !== null && seal.unseal(ACCOUNT_PURPOSE, stored.sealedKey) !== null) return stored;
    if (stored !== null) await store.deleteAccount(ca.directory, binding);
    const sealedKey = seal.seal(ACCOUNT_PURPOSE, newAccountKeyPem());
    return store.insertAccount({ directory: ca.directory, binding, url: null, sealedKey });
  }

  /** Once a start: an address that was changed in the document reaches the CA. Never in the way of an order. */
  async #tellContact(
    { client, signer }: CaSession,
    key: string,
    email: string | null,
    signal: AbortSignal,
  ): Promise<void> {
    if (this.#contacts.get(key) === email) return;
    this.#contacts.set(key, email);
    try {
      await updateContacts(client, signer, email, signal);
    } catch (error) {
      if (signal.aborted) throw error;
      if (error instanceof AcmeFailure && error.problem?.type === 'accountDoesNotExist') throw error;
      this.#deps.logger.warn({ code: 'ACME_FAILED', err: error }, `Cannot tell ${client.name} the contact address`);
    }
  }
}

function accountKeyFor(ca: AcmeCa): string {
  return `${ca.directory}\0${bindingOf(ca)}`;
}

function bindingOf({ eab }: AcmeCa): string {
  return eab?.keyId ?? '';
}
