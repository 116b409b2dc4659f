/**
 * Whether a connection's handshake asked for the client certificates that a host asks for now. The name of the
 * connection and the host of a request may differ, and so may the document, or the CA, of then and of now: who was
 * let in by a CA that counts no more, or before any certificate was asked for, is not in.
 */
import type { ConnectionFacts, Exchange } from '../wire/exchange.ts';
import type { ClientAuthPolicy } from './tls-client-certificate.ts';

export interface HandshakePolicies {
  readonly hasClientAuth: () => boolean;
  readonly clientAuthFor: (serverName: string | null) => Pick<ClientAuthPolicy, 'policyId'> | null;
}

export interface HandshakeCheck {
  /** The request belongs to a connection of another handshake. */
  readonly isMisdirected: (exchange: Pick<Exchange, 'connection' | 'request'>) => boolean;
  /** The connection would be asked for something else today. */
  readonly isOutdated: (connection: ConnectionFacts) => boolean;
}

export function createHandshakeCheck(policies: HandshakePolicies): HandshakeCheck {
  const differs = ({ scheme, clientAuth }: ConnectionFacts, name: string | null): boolean => {
    if (scheme !== 'https' || (clientAuth === null && !policies.hasClientAuth())) return false;
    return clientAuth !== (policies.clientAuthFor(name)?.policyId ?? null);
  };
  return {
    isMisdirected: ({ connection, request }) => differs(connection, request.host),
    isOutdated: (connection) => differs(connection, connection.serverName),
  };
}
