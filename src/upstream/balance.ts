/**
 * Which of a route's servers takes a request. Advice of health checks narrows the choice: what only
 * looked bad to real requests is tried again where nothing else is left (panic), what an active check
 * says is down is not.
 */
import type { ActiveCheck } from './active-health.ts';
import type { Target } from './target.ts';
import type { ProxyAction } from '../config/document/actions.ts';

export interface Member {
  readonly target: Target;
  readonly weight: number;
  readonly check: ActiveCheck | null;
  /** Of the smooth weighted round-robin. */
  credit: number;
}

export interface Choice {
  readonly now: number;
  /** Members that this request has tried already. */
  readonly tried: readonly Member[];
  /** For ip-hash. */
  readonly clientIp: string | null;
}

/** Answers null where every member was tried, or an active check says that all are down. */
export function chooseMember(action: ProxyAction, members: readonly Member[], choice: Choice): Member | null {
  const only = members[0];
  if (members.length === 1 && only !== undefined) {
    return choice.tried.length > 0 || only.check?.isDown === true ? null : only;
  }
  const able = members.filter((one) => one.check?.isDown !== true && !choice.tried.includes(one));
  const good = able.filter((one) => !one.target.passive.isDown(choice.now, action.maxFails, action.failMs));
  return chooseBy(action.balance, good.length > 0 ? good : able, choice.clientIp);
}

/** True where an active check says so of every member. */
export function areAllDown(members: readonly Member[]): boolean {
  return members.length > 0 && members.every((one) => one.check?.isDown === true);
}

function chooseBy(balance: ProxyAction['balance'], able: readonly Member[], clientIp: string | null): Member | null {
  if (able.length <= 1) return able[0] ?? null;
  switch (balance) {
    case 'first':
      return able[0] ?? null;
    case 'least-connections':
      return leastBusy(able);
    case 'ip-hash':
      return highestHash(able, clientIp ?? '');
    default:
      return nextInTurn(able);
  }
}

/** Smooth weighted round-robin: a heavy member's turns are spread out instead of coming in a row. */
function nextInTurn(able: readonly Member[]): Member | null {
  let best: Member | null = null;
  let total = 0;
  for (const one of able) {
    one.credit += one.weight;
    total += one.weight;
    if (best === null || one.credit > best.credit) best = one;
  }
  if (best !== null) best.credit -= total;
  return best;
}

/** Ties go in turn, so that idle servers share the load. */
function leastBusy(able: readonly Member[]): Member | null {
  let least = Infinity;
  for (const one of able) least = Math.min(least, one.target.inFlight / one.weight);
  return nextInTurn(able.filter((one) => one.target.inFlight / one.weight === least));
}

/** Weighted rendezvous hashing: when a server goes, only its own visitors move. */
function highestHash(able: readonly Member[], seed: string): Member | null {
  let best: Member | null = null;
  let highest = -Infinity;
  for (const one of able) {
    const unit = (hashOf(seed + '|' + one.target.key) + 0.5) / 4_294_967_296;
    const score = -one.weight / Math.log(unit);
    if (score > highest) {
      highest = score;
      best = one;
    }
  }
  return best;
}

/** FNV-1a with a final mix; not for secrets. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
