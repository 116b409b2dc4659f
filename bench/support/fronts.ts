/** Front proxies that ask a checker before they pass a request on to the app: TLS, one process, one core, no access log. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findPeer } from '../../test/support/peers.ts';
import { startPinned } from './processes.ts';
import type { ChildProcess } from 'node:child_process';

export type FrontName = 'nginx' | 'traefik' | 'caddy';

export interface FrontSite {
  readonly dir: string;
  readonly httpsPort: number;
  readonly appPort: number;
  /** Null: nobody is asked. */
  readonly checkerPort: number | null;
  readonly certificate: string;
  readonly key: string;
  readonly core: number;
}

export const FRONTS: Readonly<Record<FrontName, (site: FrontSite) => ChildProcess>> = {
  nginx: (site) => launch('nginx', ['-c', write(site, 'nginx.conf', nginxConfig(site)), '-p', site.dir], site),
  traefik: (site) => launch('traefik', [`--configFile=${write(site, 'traefik.yaml', traefikConfig(site))}`], site),
  caddy: (site) =>
    launch('caddy', ['run', '--adapter', 'caddyfile', '--config', write(site, 'Caddyfile', caddyConfig(site))], site),
};

function launch(program: string, args: readonly string[], { core, dir }: FrontSite): ChildProcess {
  const env = { XDG_DATA_HOME: dir, XDG_CONFIG_HOME: dir, HOME: dir, GOMAXPROCS: '1' };
  return startPinned(findPeer(program) ?? program, args, { core, logFile: join(dir, `${program}.log`), env });
}

function write({ dir }: FrontSite, name: string, text: string): string {
  const path = join(dir, name);
  writeFileSync(path, text);
  return path;
}

function nginxConfig({ dir, checkerPort, appPort, httpsPort, certificate, key }: FrontSite): string {
  const checker =
    checkerPort === null
      ? ''
      : `location = /oauth2/auth {
      internal; proxy_pass http://checker; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host;
      proxy_set_header X-Forwarded-Uri $request_uri; proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Real-IP $remote_addr;
      proxy_set_header Content-Length ""; proxy_pass_request_body off;
    }`;
  const ask =
    checkerPort === null
      ? ''
      : 'auth_request /oauth2/auth; auth_request_set $user $upstream_http_x_auth_request_user; proxy_set_header X-User $user;';
  return `daemon off; worker_processes 1; pid ${dir}/nginx.pid; error_log ${dir}/nginx-error.log;
worker_rlimit_nofile 65536;
events { worker_connections 40000; }
http {
  access_log off; keepalive_requests 1000000; client_body_temp_path ${dir}; proxy_temp_path ${dir};
  fastcgi_temp_path ${dir}; uwsgi_temp_path ${dir}; scgi_temp_path ${dir}; large_client_header_buffers 4 32k; proxy_buffer_size 32k; proxy_buffers 4 32k;
  upstream app { server 127.0.0.1:${appPort}; keepalive 256; keepalive_requests 1000000; }
  ${checkerPort === null ? '' : `upstream checker { server 127.0.0.1:${checkerPort}; keepalive 256; keepalive_requests 1000000; }`}
  server {
    listen 127.0.0.1:${httpsPort} ssl; ssl_certificate ${certificate}; ssl_certificate_key ${key};
    ${checker}
    location / {
      ${ask}
      proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host;
    }
  }
}
`;
}

function traefikConfig(site: FrontSite): string {
  const { checkerPort, appPort, certificate, key, httpsPort } = site;
  const middlewares =
    checkerPort === null
      ? ''
      : `  middlewares: { ask: { forwardAuth: { address: "http://127.0.0.1:${checkerPort}/oauth2/auth", trustForwardHeader: true, authResponseHeaders: [X-Auth-Request-User] } } }\n`;
  const dynamic = write(
    site,
    'traefik-dynamic.yaml',
    `http:
  routers: { app: { rule: "PathPrefix(\`/\`)", service: app, entryPoints: [https], tls: {}${checkerPort === null ? '' : ', middlewares: [ask]'} } }
${middlewares}  services: { app: { loadBalancer: { servers: [ { url: "http://127.0.0.1:${appPort}" } ] } } }
tls:
  certificates: [ { certFile: ${certificate}, keyFile: ${key} } ]
  stores: { default: { defaultCertificate: { certFile: ${certificate}, keyFile: ${key} } } }
`,
  );
  return `entryPoints: { https: { address: "127.0.0.1:${httpsPort}" } }
providers: { file: { filename: ${dynamic} } }
global: { checkNewVersion: false, sendAnonymousUsage: false }
serversTransport: { maxIdleConnsPerHost: 256 }
log: { level: ERROR }
`;
}

function caddyConfig({ checkerPort, appPort, certificate, key, httpsPort }: FrontSite): string {
  const ask =
    checkerPort === null
      ? ''
      : `forward_auth 127.0.0.1:${checkerPort} {
    uri /oauth2/auth
    copy_headers X-Auth-Request-User
    transport http {
      keepalive_idle_conns_per_host 256
    }
  }`;
  return `{
  admin off
  auto_https off
  log {
    level ERROR
  }
}
https://localhost:${httpsPort} {
  bind 127.0.0.1
  tls ${certificate} ${key}
  ${ask}
  reverse_proxy 127.0.0.1:${appPort} {
    transport http {
      keepalive_idle_conns_per_host 256
    }
  }
}
`;
}
