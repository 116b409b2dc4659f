/**
 * Waits until the authoritative servers of a zone answer with a TXT value, since a CA asks whichever it likes and
 * remembers what it was told. Which servers count:
 *
 * - One that answers with authority but without the value is waited for: the CA could meet it.
 * - One that does not answer, refuses, fails, or answers without authority (lame) is asked again for three rounds and
 *   then left out: the CA's resolver would go on to the next server as well, and one that only an address family
 *   which we lack could reach would else stop every certificate.
 * - At least one has to have the value.
 */
import type { Clock } from '../../core/clock.ts';
import { dnsError, reasonOf } from './dns-error.ts';
import { type DnsMessage, RCODE, rcodeName, TYPE } from './message.ts';
import type { Authority, NameServer } from './resolver.ts';
import type { AskServer } from './transport.ts';

export interface PropagationTools {
  readonly ask: AskServer;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly clock: Clock;
}

export interface Propagation {
  readonly name: string;
  readonly value: string;
  readonly authority: Authority;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

type State = 'has' | 'lacks' | 'silent';

interface Finding {
  readonly server: string;
  readonly state: State;
  readonly note: string;
}

const PAUSES_MS = [1000, 2000, 3000, 5000, 8000];
const LONGEST_PAUSE_MS = 10_000;
const SILENT_ROUNDS = 3;

export async function awaitPropagation(wanted: Propagation, tools: PropagationTools): Promise<void> {
  const until = tools.clock.now() + wanted.timeoutMs;
  for (let round = 1; ; round++) {
    const findings = await Promise.all(wanted.authority.servers.map((server) => lookAt(server, wanted, tools)));
    if (isVisible(findings, round)) return;
    const pause = PAUSES_MS[round - 1] ?? LONGEST_PAUSE_MS;
    if (tools.clock.now() + pause > until) throw notVisible(findings, wanted);
    await tools.sleep(pause, wanted.signal);
  }
}

function isVisible(findings: readonly Finding[], round: number): boolean {
  const has = (state: State): boolean => findings.some((one) => one.state === state);
  return has('has') && !has('lacks') && (round >= SILENT_ROUNDS || !has('silent'));
}

/** A server has the value where each of its addresses that answers has it: behind each may stand another machine. */
async function lookAt(server: NameServer, wanted: Propagation, tools: PropagationTools): Promise<Finding> {
  if (server.addresses.length === 0) return { server: server.name, state: 'silent', note: 'has no address' };
  const findings = await Promise.all(
    server.addresses.map(async (address): Promise<Finding> => {
      const label = `${server.name} (${address.address})`;
      try {
        const answer = await tools.ask(address, { name: wanted.name, type: TYPE.TXT, recursion: false }, wanted.signal);
        return { server: label, ...stateOf(answer, wanted) };
      } catch (error) {
        wanted.signal.throwIfAborted();
        return { server: label, state: 'silent', note: reasonOf(error) };
      }
    }),
  );
  const of = (state: State): Finding | undefined => findings.find((one) => one.state === state);
  return of('lacks') ?? of('has') ?? findings[0] ?? { server: server.name, state: 'silent', note: 'has no address' };
}

function stateOf(answer: DnsMessage, { name, value }: Propagation): Pick<Finding, 'state' | 'note'> {
  const { rcode, isAuthoritative, answers } = answer;
  if (rcode !== RCODE.NOERROR && rcode !== RCODE.NXDOMAIN)
    return { state: 'silent', note: `answers ${rcodeName(rcode)}` };
  if (!isAuthoritative) return { state: 'silent', note: 'does not answer for the zone' };
  const texts = answers.flatMap((one) => (one.type === TYPE.TXT && one.name === name ? [one.text] : []));
  if (texts.includes(value)) return { state: 'has', note: 'has the value' };
  return { state: 'lacks', note: texts.length === 0 ? 'has no such record' : `has ${texts.length} other values` };
}

function notVisible(findings: readonly Finding[], { name, authority, timeoutMs }: Propagation): Error {
  const told = findings.map(({ server, note }) => `${server} ${note}`).join(', ');
  const what = `not every server has the value after ${timeoutMs / 1000} s: ${told}`;
  const remedy = 'raise "propagation_timeout" where the provider is slow, or check the delegation of the zone';
  const provider = `the name servers of "${authority.zone}"`;
  return dnsError({
    code: 'DNS_NOT_PROPAGATED',
    step: `see TXT "${name}"`,
    provider,
    what,
    remedy,
    facts: { name, zone: authority.zone },
  });
}
