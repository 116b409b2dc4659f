/** Sends signed messages to one name server over TCP, and believes only answers that are signed with the same key. */
import { isIP } from 'node:net';
import { dnsError, reasonOf } from './dns-error.ts';
import { type DnsMessage, readMessage } from './message.ts';
import type { ProviderTools } from './tools.ts';
import { type DnsServer, exchangeTcp } from './transport.ts';
import { signMessage, TsigError, type TsigKey, verifyAnswer } from './tsig.ts';

export type SignedExchange = (step: string, message: Buffer, signal: AbortSignal) => Promise<DnsMessage>;

/** "192.0.2.53", "192.0.2.53:5353", "[2001:db8::53]:53"; null for anything else. */
export function serverOf(value: string): DnsServer | null {
  if (isIP(value) !== 0) return { address: value, port: 53 };
  const [, bracketed, plain, port = ''] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(value) ?? [];
  const address = bracketed ?? plain ?? '';
  const isGood = isIP(address) === (bracketed === undefined ? 4 : 6) && Number(port) > 0 && Number(port) < 65_536;
  return isGood ? { address, port: Number(port) } : null;
}

export function createSignedExchange(
  { server, key, provider }: { readonly server: DnsServer; readonly key: TsigKey; readonly provider: string },
  tools: ProviderTools,
): SignedExchange {
  return async (step, message, signal) => {
    const signed = signMessage(message, key, tools.clock.now());
    try {
      const answer = await exchangeTcp(server, signed.bytes, { timeoutMs: tools.timeoutMs, signal });
      verifyAnswer(answer, key, signed.mac, tools.clock.now());
      return readMessage(answer);
    } catch (error) {
      signal.throwIfAborted();
      const isRefusal = error instanceof TsigError;
      const code = isRefusal ? 'DNS_PROVIDER_REFUSED' : 'DNS_PROVIDER_UNAVAILABLE';
      const remedy = isRefusal
        ? 'compare key_name, algorithm and secret with the server, and the clocks'
        : 'check the address, and that it answers over TCP';
      throw dnsError({ code, step, provider, what: reasonOf(error), remedy, cause: error });
    }
  };
}
