/** Prints `listen` as it is in effect. */
import type { Listen, ListenAddress } from '../document.ts';
import type { Shown } from './words.ts';

export function shownListen(listen: Listen): Shown {
  return {
    http: listen.http.length === 0 ? 'off' : listen.http.map(shownAddress),
    https: listen.https.length === 0 ? 'off' : listen.https.map(shownAddress),
    health: listen.health === null ? 'off' : hostAndPort(listen.health),
    public_https_port: listen.publicHttpsPort === 0 ? undefined : listen.publicHttpsPort,
    proxy_protocol: listen.proxyProtocol,
  };
}

function shownAddress(address: ListenAddress): Shown {
  return address.tls ? hostAndPort(address) : { address: hostAndPort(address), tls: 'off' };
}

function hostAndPort({ host, port }: ListenAddress): string {
  return `${host?.includes(':') === true ? `[${host}]` : (host ?? '')}:${port}`;
}
