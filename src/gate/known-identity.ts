/**
 * Who somebody is, held once for all sessions of theirs that a worker knows, with what the rules say of
 * them. A cached session is then a few words and not a person, a map and their decisions each.
 */
import { identityOfPerson } from '../core/person.ts';
import type { Identity } from '../core/person.ts';
import type { Decision } from '../policy/facts.ts';
import type { CredentialView } from './ports.ts';

const MAX_DECISIONS = 64;

export class KnownIdentity {
  readonly identity: Identity;
  /** What it is found by. */
  readonly text: string;
  /** Entries that hold it. */
  holders = 0;
  /** Decisions of policies that depend on the identity alone, by policy id; of the rules of one epoch. */
  readonly #decisions = new Map<string, Decision>();
  #epoch = -1;

  constructor(identity: Identity, text: string) {
    this.identity = identity;
    this.text = text;
  }

  recall(policyId: string, epoch: number): Decision | undefined {
    return this.#epoch === epoch ? this.#decisions.get(policyId) : undefined;
  }

  remember(policyId: string, epoch: number, decision: Decision): void {
    if (this.#epoch !== epoch || this.#decisions.size >= MAX_DECISIONS) {
      this.#decisions.clear();
      this.#epoch = epoch;
    }
    this.#decisions.set(policyId, decision);
  }
}

export class KnownIdentities {
  readonly #all = new Map<string, KnownIdentity>();

  get size(): number {
    return this.#all.size;
  }

  /** Give it back with `release`. Equal in everything is the same: views are plain data with their fields in one order. */
  hold(view: CredentialView): KnownIdentity {
    const text = JSON.stringify('person' in view ? view.person : view.identity);
    let known = this.#all.get(text);
    if (known === undefined) {
      known = new KnownIdentity(identityOf(view), text);
      this.#all.set(text, known);
    }
    known.holders++;
    return known;
  }

  release(known: KnownIdentity): void {
    if (--known.holders === 0) this.#all.delete(known.text);
  }
}

export function identityOf(view: CredentialView): Identity {
  return 'person' in view ? identityOfPerson(view.person) : view.identity;
}
