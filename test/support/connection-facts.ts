/** A visitor on this machine, over plain HTTP: what a codec is told of a connection. */
import type { ConnectionFacts } from '../../src/wire/exchange.ts';

export const FACTS: ConnectionFacts = {
  peerAddress: '127.0.0.1',
  peerPort: 1,
  viaProxyProtocol: false,
  localPort: 80,
  scheme: 'http',
  serverName: null,
  tlsVersion: null,
  clientCertificate: null,
  clientAuth: null,
};
