/**
 * Finds out, by recursive resolvers, where a challenge really goes and who is asked about it: follows CNAMEs from a
 * name, and finds the zone that holds a name with the addresses of its name servers.
 */
import { getServers } from 'node:dns';
import { isIP } from 'node:net';
import { dnsError, reasonOf } from './dns-error.ts';
import { type DnsMessage, RCODE, rcodeName, TYPE } from './message.ts';
import type { AskServer, DnsServer } from './transport.ts';

export interface NameServer {
  readonly name: string;
  /** Every IPv4 and IPv6 address; none where its name does not resolve. */
  readonly addresses: readonly DnsServer[];
}

export interface Authority {
  readonly zone: string;
  readonly servers: readonly NameServer[];
}

export interface Resolver {
  /** The end of the chain of CNAMEs; the name itself where there is none. */
  readonly followCnames: (name: string, signal: AbortSignal) => Promise<string>;
  readonly findAuthority: (name: string, signal: AbortSignal) => Promise<Authority>;
}

export interface ResolverOptions {
  readonly ask: AskServer;
  /** As in the document: "9.9.9.9", "[2620:fe::fe]:53". Empty: those of the system. */
  readonly resolvers: readonly string[];
  /** Where name servers listen; another one in tests. */
  readonly authorityPort?: number;
}

const MOST_CNAMES = 8;
const PORT = 53;

export function parseServer(text: string): DnsServer {
  if (isIP(text) !== 0) return { address: text, port: PORT };
  const colon = text.lastIndexOf(':');
  return { address: text.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(text.slice(colon + 1)) };
}

export function createResolver({ ask, resolvers, authorityPort = PORT }: ResolverOptions): Resolver {
  const lookUp = async (name: string, type: number, signal: AbortSignal): Promise<DnsMessage> => {
    const servers = (resolvers.length > 0 ? resolvers : getServers()).map(parseServer);
    const failures: string[] = [];
    for (const server of servers) {
      try {
        const answer = await ask(server, { name, type, recursion: true }, signal);
        if (answer.rcode === RCODE.NOERROR || answer.rcode === RCODE.NXDOMAIN) return answer;
        failures.push(`${server.address} answered ${rcodeName(answer.rcode)}`);
      } catch (error) {
        signal.throwIfAborted();
        failures.push(`${server.address}: ${reasonOf(error)}`);
      }
    }
    throw lookupFailure(name, failures);
  };
  const addressesOf = async (server: string, signal: AbortSignal): Promise<readonly DnsServer[]> => {
    const lookUps = [TYPE.A, TYPE.AAAA].map((type) => lookUp(server, type, signal));
    const results = await Promise.allSettled(lookUps);
    signal.throwIfAborted();
    const answers = results.flatMap((one) => (one.status === 'fulfilled' ? one.value.answers : []));
    return answers.flatMap(({ address }) => (address === null ? [] : [{ address, port: authorityPort }]));
  };
  return {
    followCnames: async (name, signal) => {
      const seen = new Set([name]);
      let at = name;
      for (;;) {
        const { answers } = await lookUp(at, TYPE.CNAME, signal);
        const next = answers.find((one) => one.type === TYPE.CNAME && one.name === at)?.target ?? null;
        if (next === null) return at;
        if (seen.has(next) || seen.size > MOST_CNAMES)
          throw chainFailure(name, seen.has(next) ? 'go round in a circle' : 'are too many');
        seen.add(next);
        at = next;
      }
    },
    findAuthority: async (name, signal) => {
      const zone = await zoneOf(name, (at) => lookUp(at, TYPE.SOA, signal));
      const { answers } = await lookUp(zone, TYPE.NS, signal);
      const names = answers.flatMap((one) =>
        one.type === TYPE.NS && one.name === zone && one.target !== null ? [one.target] : [],
      );
      const servers = await Promise.all(
        names.map(async (server) => ({ name: server, addresses: await addressesOf(server, signal) })),
      );
      if (servers.length > 0) return { zone, servers };
      throw lookupFailure(zone, [`the zone "${zone}" has no name servers`]);
    },
  };
}

/** The SOA that answers, or that proves there is no answer (RFC 2308 section 3), stands at the top of the zone. */
async function zoneOf(name: string, askSoa: (name: string) => Promise<DnsMessage>): Promise<string> {
  for (let at = name; at !== ''; at = at.includes('.') ? at.slice(at.indexOf('.') + 1) : '') {
    const { answers, authorities } = await askSoa(at);
    const soa = [...answers, ...authorities].find(
      (one) => one.type === TYPE.SOA && (one.name === at || at.endsWith(`.${one.name}`)),
    );
    if (soa !== undefined && soa.name !== '') return soa.name;
  }
  throw lookupFailure(name, ['no zone holds it']);
}

function lookupFailure(name: string, failures: readonly string[]): Error {
  const what = failures.length === 0 ? 'there is no resolver' : failures.join(', ');
  const remedy = 'check the network, or set "resolvers" of the DNS provider';
  return dnsError({
    code: 'DNS_LOOKUP_FAILED',
    step: `look up "${name}"`,
    provider: 'the resolvers',
    what,
    remedy,
    facts: { name },
  });
}

function chainFailure(name: string, how: string): Error {
  const what = `its CNAMEs ${how}`;
  return dnsError({
    code: 'DNS_LOOKUP_FAILED',
    step: `follow "${name}"`,
    provider: 'the resolvers',
    what,
    remedy: 'correct the CNAME records',
  });
}
