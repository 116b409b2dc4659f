/**
 * One order from names to a chain (RFC 8555 section 7.4). What has been reached is told to the journal
 * before the next step, so that an order that was broken off is taken up where it stood: it never asks
 * for a second certificate while the first may still come.
 */
import { AcmeFailure, problemOf } from './failure.ts';
import {
  chooseChallenge,
  identifierOf,
  nameOf,
  taskOf,
  type ChallengeAnswers,
  type ChallengeTask,
} from './challenge.ts';
import { isDnsChallenge, type ChallengeType } from './challenge-type.ts';
import { downloadChain } from './chain.ts';
import { locationOf } from './location.ts';
import { FIRST_LOOK_MS, poll, waitForLook } from './looks.ts';
import { authorizationShape, challengeShape, orderShape, type Authorization, type Order } from './messages.ts';
import type { AcmeClient, Answer } from './client.ts';
import type { Signer } from './jws.ts';

export interface OrderRequest {
  readonly names: readonly string[];
  /** Best first; wildcards take DNS only. */
  readonly challenges: readonly ChallengeType[];
  readonly profile: string | null;
  /** ARI id of the certificate that this one takes over from (RFC 9773 section 5). */
  readonly replaces: string | null;
  readonly preferredChain: string | null;
  /** DER of the request, signed by the certificate's own key. */
  readonly csr: Buffer;
}

export type OrderProgress =
  | { readonly kind: 'ordered'; readonly url: string }
  | { readonly kind: 'resumed'; readonly url: string }
  | { readonly kind: 'authorized'; readonly name: string }
  | { readonly kind: 'showing'; readonly name: string; readonly challenge: ChallengeType }
  | { readonly kind: 'validating'; readonly name: string; readonly challenge: ChallengeType }
  | { readonly kind: 'validated'; readonly name: string; readonly challenge: ChallengeType }
  | { readonly kind: 'finalizing' }
  | { readonly kind: 'waiting'; readonly until: number }
  | { readonly kind: 'downloading' };

export interface OrderDeps {
  readonly client: AcmeClient;
  readonly signer: Signer;
  readonly answers: ChallengeAnswers;
  /** URL of an order of the same names that was begun before; null for none. */
  readonly begun: string | null;
  /** The order has a URL now; null: the one that was begun has no future. On the disk when it resolves. */
  readonly saveUrl: (url: string | null) => Promise<void>;
  readonly report: (progress: OrderProgress) => void;
}

const AUTHORIZATIONS_AT_ONCE = 10;
const NOT_READY_FIRST_MS = 500;
const NOT_READY_MOST_MS = 4_000;

/** Longest way from one state to another; a CA that goes in a circle is left to the next try. */
const STEPS_MAX = 8;

/** PEM of the chain, leaf first. */
export async function runOrder(request: OrderRequest, deps: OrderDeps, signal: AbortSignal): Promise<string> {
  const { url, ...opened } = await openOrder(request, deps, signal);
  let { order, lookAt } = opened;
  for (let steps = 0; steps < STEPS_MAX && !isAtEnd(order); steps += 1)
    ({ order, lookAt } = await nextState({ url, order, lookAt }, request, deps, signal));
  if (order.status !== 'valid' || order.certificate === undefined) throw await lostOrder(order, request, deps);
  deps.report({ kind: 'downloading' });
  return downloadChain(
    deps.client,
    { url: order.certificate, signer: deps.signer, preferred: request.preferredChain },
    signal,
  );
}

/** RFC 8555 section 7.1.6. */
async function nextState(
  { url, order, lookAt }: OpenOrder,
  request: OrderRequest,
  deps: OrderDeps,
  signal: AbortSignal,
): Promise<OrderState> {
  const { status } = order;
  if (status === 'ready') {
    deps.report({ kind: 'finalizing' });
    return finalize(url, order, request, deps, signal);
  }
  if (status === 'pending') await authorizeAll(order, request, deps, signal);
  else await waitForLook(lookAt, deps, signal);
  const ended = await pollOrder(url, (one) => one.status !== status || isAtEnd(one), deps, signal);
  return { order: ended, lookAt: null };
}

/** One that is valid and does not say yet where its certificate is has been issued: another would be one too many. */
function isAtEnd({ status, certificate }: Order): boolean {
  return status === 'invalid' || (status === 'valid' && certificate !== undefined);
}

interface OrderState {
  readonly order: Order;
  /** Not before this time, as the CA says. */
  readonly lookAt: number | null;
}

interface OpenOrder extends OrderState {
  readonly url: string;
}

async function openOrder(request: OrderRequest, deps: OrderDeps, signal: AbortSignal): Promise<OpenOrder> {
  const begun = await reopen(request, deps, signal);
  if (begun !== null) return begun;
  const { client } = deps;
  const { newOrder, meta } = await client.directory(signal);
  const { names, profile } = request;
  const step = `order a certificate for ${listNames(names)} at ${client.name}`;
  if (profile !== null && meta?.profiles !== undefined && !Object.hasOwn(meta.profiles, profile)) {
    const offered = Object.keys(meta.profiles).join('", "');
    throw new AcmeFailure({
      kind: 'refused',
      step,
      because: `${client.name} has no profile "${profile}"`,
      remedy: `it offers "${offered}"`,
    });
  }
  const payload = { identifiers: names.map(identifierOf), ...(profile === null ? {} : { profile }) };
  const answer = await askForOrder({ url: newOrder, payload, step, replaces: request.replaces }, deps, signal);
  const url = locationOf(answer.response, newOrder);
  if (url === null)
    throw new AcmeFailure({ kind: 'malformed', step, because: `${client.name} gives the order no URL` });
  await deps.saveUrl(url);
  deps.report({ kind: 'ordered', url });
  return { url, order: answer.value, lookAt: answer.retryAt };
}

interface NewOrder {
  readonly url: string;
  readonly payload: object;
  readonly step: string;
  readonly replaces: string | null;
}

/**
 * A CA that refuses `replaces` (another order took that certificate's place, it is another account's, or the CA does not
 * know it any more) is asked without; where that was not the reason, it says so again.
 */
async function askForOrder(ask: NewOrder, deps: OrderDeps, signal: AbortSignal): Promise<Answer<Order>> {
  const { url, payload, step, replaces } = ask;
  const { client, signer } = deps;
  if (replaces === null) return client.post({ url, payload, signer, step }, orderShape, signal);
  try {
    return await client.post({ url, payload: { ...payload, replaces }, signer, step }, orderShape, signal);
  } catch (error) {
    if (!(error instanceof AcmeFailure) || error.problem === null || error.kind === 'rate-limited') throw error;
    if (error.problem.type === 'accountDoesNotExist') throw error;
    return client.post({ url, payload, signer, step }, orderShape, signal);
  }
}

/** The order that was begun before, if it can still come to a certificate for the same names. */
async function reopen(request: OrderRequest, deps: OrderDeps, signal: AbortSignal): Promise<OpenOrder | null> {
  const url = deps.begun;
  if (url === null) return null;
  try {
    const order = await readOrder(url, deps, signal, false);
    const names = order.value.identifiers.map((one) => one.value).toSorted();
    const isSame = names.join(' ') === request.names.toSorted().join(' ');
    if (isSame && order.value.status !== 'invalid') {
      deps.report({ kind: 'resumed', url });
      return { url, order: order.value, lookAt: order.retryAt };
    }
  } catch (error) {
    // Gone, or another account's: a new one takes its place.
    if (!(error instanceof AcmeFailure) || (error.kind !== 'refused' && error.kind !== 'malformed')) throw error;
    if (error.problem?.type === 'accountDoesNotExist') throw error;
  }
  await deps.saveUrl(null);
  return null;
}

// oxlint-disable-next-line max-params -- the order, and whether it is one of now
function readOrder(
  url: string,
  { client, signer }: OrderDeps,
  signal: AbortSignal,
  isNew = true,
): Promise<Answer<Order>> {
  const step = `read the order at ${client.name}`;
  return client.post({ url, payload: null, signer, step, isNew }, orderShape, signal);
}

async function authorizeAll(order: Order, request: OrderRequest, deps: OrderDeps, signal: AbortSignal): Promise<void> {
  const waiting = [...order.authorizations];
  const failures: unknown[] = [];
  const worker = async (): Promise<void> => {
    for (let url = waiting.shift(); url !== undefined && failures.length === 0; url = waiting.shift()) {
      await authorize(url, request, deps, signal).catch((error: unknown) => failures.push(error));
    }
  };
  await Promise.all(Array.from({ length: AUTHORIZATIONS_AT_ONCE }, worker));
  if (failures.length === 0) return;
  // The order is lost with its first authorisation; the next try begins a new one.
  if (failures[0] instanceof AcmeFailure && failures[0].kind === 'challenge') await deps.saveUrl(null);
  throw failures[0];
}

async function authorize(url: string, request: OrderRequest, deps: OrderDeps, signal: AbortSignal): Promise<void> {
  const { client, signer, answers, report } = deps;
  const { value } = await readAuthorization(url, deps, signal);
  const name = nameOf(value);
  if (value.status === 'valid') {
    report({ kind: 'authorized', name });
    return;
  }
  if (value.status !== 'pending') throw failedAuthorization(value, client);
  const wanted = name.startsWith('*.') ? request.challenges.filter(isDnsChallenge) : request.challenges;
  const challenge = chooseChallenge(value, wanted);
  if (challenge === null) throw noChallenge(value, wanted, client);
  const { type } = challenge;
  const task = taskOf(challenge, value, signer);
  report({ kind: 'showing', name, challenge: type });
  const hide = await answers.show(task, signal);
  try {
    if (challenge.status === 'pending') await respond(challenge.url, { name, type, url }, deps, signal);
    report({ kind: 'validating', name, challenge: type });
    await pollAuthorization(url, deps, signal);
    report({ kind: 'validated', name, challenge: type });
  } catch (error) {
    throw withRecord(error, task);
  } finally {
    await hide();
  }
}

/** Nobody but the operator sets the record of dns-persist-01: it is told whole. */
function withRecord(error: unknown, task: ChallengeTask): unknown {
  if (task.type !== 'dns-persist-01' || !(error instanceof AcmeFailure) || error.kind !== 'challenge') return error;
  const { kind, step, problem } = error;
  return new AcmeFailure({
    kind,
    step,
    problem,
    remedy: `set this TXT record once, it stays: ${task.record} "${task.value}"`,
  });
}

async function respond(
  challengeUrl: string,
  { name, type, url }: { readonly name: string; readonly type: ChallengeType; readonly url: string },
  deps: OrderDeps,
  signal: AbortSignal,
): Promise<void> {
  const { client, signer } = deps;
  const step = `ask ${client.name} to validate "${name}" by ${type}`;
  try {
    // Section 7.5.1: an empty object says that the answer can be seen.
    await client.post({ url: challengeUrl, payload: {}, signer, step, isNew: true }, challengeShape, signal);
  } catch (error) {
    // Said twice, since the first answer was lost on the way: the authorisation tells how it went.
    if (!(error instanceof AcmeFailure) || error.kind !== 'refused') throw error;
    const { value } = await readAuthorization(url, deps, signal);
    const own = value.challenges.find((one) => one.url === challengeUrl);
    if (value.status === 'pending' && (own === undefined || own.status === 'pending')) throw error;
  }
}

function readAuthorization(
  url: string,
  { client, signer }: OrderDeps,
  signal: AbortSignal,
): Promise<Answer<Authorization>> {
  const step = `read an authorisation at ${client.name}`;
  return client.post({ url, payload: null, signer, step, isNew: true }, authorizationShape, signal);
}

async function pollAuthorization(url: string, deps: OrderDeps, signal: AbortSignal): Promise<void> {
  const { client } = deps;
  const read = (): Promise<Answer<Authorization>> => readAuthorization(url, deps, signal);
  // The CA has only begun to look: who asks at once is told to wait for longer than that takes.
  await client.sleep(FIRST_LOOK_MS, signal);
  const value = await poll(read, (one) => one.status !== 'pending', deps, signal);
  if (value.status !== 'valid') throw failedAuthorization(value, client);
}

async function pollOrder(
  url: string,
  isDone: (order: Order) => boolean,
  deps: OrderDeps,
  signal: AbortSignal,
): Promise<Order> {
  return poll(() => readOrder(url, deps, signal), isDone, deps, signal);
}

// oxlint-disable-next-line max-params -- the order and what it needs
async function finalize(
  url: string,
  order: Order,
  request: OrderRequest,
  deps: OrderDeps,
  signal: AbortSignal,
): Promise<OrderState> {
  const { client, signer } = deps;
  const step = `finalise the order for ${listNames(request.names)} at ${client.name}`;
  const payload = { csr: request.csr.toString('base64url') };
  for (let pause = NOT_READY_FIRST_MS; ; pause *= 2) {
    try {
      const ask = { url: order.finalize, payload, signer, step, isNew: true };
      const { value, retryAt } = await client.post(ask, orderShape, signal);
      return { order: value, lookAt: retryAt };
    } catch (error) {
      if (!(error instanceof AcmeFailure) || error.problem?.type !== 'orderNotReady') throw error;
      // Said twice, since the first answer was lost on the way: the order tells how it went.
      const { value, retryAt } = await readOrder(url, deps, signal);
      if (value.status !== 'ready') return { order: value, lookAt: retryAt };
      // Not all machines of the CA know yet what the one knows that was asked about the order.
      if (pause > NOT_READY_MOST_MS) throw error;
    }
    await client.sleep(pause, signal);
  }
}

async function lostOrder(order: Order, request: OrderRequest, deps: OrderDeps): Promise<AcmeFailure> {
  await deps.saveUrl(null);
  const step = `get a certificate for ${listNames(request.names)} from ${deps.client.name}`;
  if (order.error !== undefined) {
    const problem = problemOf(order.error, 0);
    return new AcmeFailure({ kind: problem.type === 'rateLimited' ? 'rate-limited' : 'refused', step, problem });
  }
  return new AcmeFailure({ kind: 'refused', step, because: `the order is ${order.status} and the CA says not why` });
}

function failedAuthorization(value: Authorization, client: AcmeClient): AcmeFailure {
  const failed = value.challenges.find((one) => one.error !== undefined);
  const name = nameOf(value);
  const how = failed === undefined ? '' : ` by ${failed.type}`;
  const step = `prove to ${client.name} that "${name}" leads here${how}`;
  if (failed?.error === undefined)
    return new AcmeFailure({ kind: 'challenge', step, because: `the authorisation is ${value.status}` });
  return new AcmeFailure({ kind: 'challenge', step, problem: problemOf(failed.error, 403) });
}

function noChallenge(value: Authorization, wanted: readonly ChallengeType[], client: AcmeClient): AcmeFailure {
  const name = nameOf(value);
  const offered = value.challenges.map((one) => one.type).join(', ');
  const isWildcard = name.startsWith('*.');
  return new AcmeFailure({
    kind: 'refused',
    step: `prove to ${client.name} that "${name}" leads here`,
    because: `it offers ${offered}, and none of them can be answered here${wanted.length === 0 ? '' : ` (${wanted.join(', ')} can)`}`,
    remedy: isWildcard
      ? 'a wildcard needs dns-01, with your DNS provider under "dns"'
      : 'check acme.challenges and listen',
  });
}

export function listNames(names: readonly string[]): string {
  const shown = names.slice(0, 3).map((name) => `"${name}"`);
  return names.length > 3 ? `${shown.join(', ')} and ${names.length - 3} more` : shown.join(', ');
}
