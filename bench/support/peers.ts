/**
 * The peers as bare TLS proxies in front of the same app, without auth: each one process on one core,
 * access log off, keep-alive to the app. Their versions are printed with the results.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findPeer } from '../../test/support/peers.ts';
import { startPinned } from './processes.ts';
import type { ChildProcess } from 'node:child_process';

export interface Site {
  /** Work folder of this gateway. */
  readonly dir: string;
  readonly httpsPort: number;
  readonly appPort: number;
  readonly certificate: string;
  readonly key: string;
  /** Certificate and key in one file, as HAProxy wants. */
  readonly bundle: string;
  readonly core: number;
}

export interface Gateway {
  readonly name: string;
  readonly program: string;
  readonly start: (site: Site) => ChildProcess;
}

function launch(program: string, args: readonly string[], site: Site, name: string): ChildProcess {
  const env = { XDG_DATA_HOME: site.dir, XDG_CONFIG_HOME: site.dir, HOME: site.dir, GOMAXPROCS: '1' };
  return startPinned(findPeer(program) ?? program, args, {
    core: site.core,
    logFile: join(site.dir, `${name}.log`),
    env,
  });
}

function write(site: Site, name: string, text: string): string {
  const path = join(site.dir, name);
  writeFileSync(path, text);
  return path;
}

export function nginxConfig(site: Site): string {
  return `daemon off; worker_processes 1; pid ${site.dir}/nginx.pid; error_log ${site.dir}/nginx-error.log;
worker_rlimit_nofile 65536;
events { worker_connections 40000; }
http {
  access_log off; keepalive_requests 1000000; client_body_temp_path ${site.dir}; proxy_temp_path ${site.dir};
  fastcgi_temp_path ${site.dir}; uwsgi_temp_path ${site.dir}; scgi_temp_path ${site.dir};
  map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
  upstream app { server 127.0.0.1:${site.appPort}; keepalive 256; keepalive_requests 1000000; }
  server {
    listen 127.0.0.1:${site.httpsPort} ssl http2; ssl_certificate ${site.certificate}; ssl_certificate_key ${site.key};
    location / {
      proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Host $host; proxy_set_header Connection $connection_upgrade;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Forwarded-Proto $scheme;
      proxy_read_timeout 1h; client_max_body_size 0; proxy_request_buffering off;
    }
  }
}
`;
}

export const PEERS: readonly Gateway[] = [
  {
    name: 'nginx',
    program: 'nginx',
    start: (site) =>
      launch('nginx', ['-c', write(site, 'nginx.conf', nginxConfig(site)), '-p', site.dir], site, 'nginx'),
  },
  {
    name: 'haproxy',
    program: 'haproxy',
    start(site) {
      const config = `global
  nbthread 1
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend https
  bind 127.0.0.1:${site.httpsPort} ssl crt ${site.bundle} alpn h2,http/1.1
  option forwardfor
  default_backend app
backend app
  http-reuse always
  server app 127.0.0.1:${site.appPort}
`;
      return launch('haproxy', ['-db', '-f', write(site, 'haproxy.cfg', config)], site, 'haproxy');
    },
  },
  {
    name: 'caddy',
    program: 'caddy',
    start(site) {
      const config = `{
  admin off
  auto_https off
  log {
    level ERROR
  }
}
https://localhost:${site.httpsPort} {
  bind 127.0.0.1
  tls ${site.certificate} ${site.key}
  reverse_proxy 127.0.0.1:${site.appPort} {
    transport http {
      keepalive_idle_conns_per_host 256
    }
  }
}
`;
      return launch(
        'caddy',
        ['run', '--adapter', 'caddyfile', '--config', write(site, 'Caddyfile', config)],
        site,
        'caddy',
      );
    },
  },
  {
    name: 'traefik',
    program: 'traefik',
    start(site) {
      const dynamic = write(
        site,
        'traefik-dynamic.yaml',
        `http:
  routers: { app: { rule: "PathPrefix(\`/\`)", service: app, entryPoints: [https], tls: {} } }
  services: { app: { loadBalancer: { servers: [ { url: "http://127.0.0.1:${site.appPort}" } ] } } }
tls:
  certificates: [ { certFile: ${site.certificate}, keyFile: ${site.key} } ]
  stores: { default: { defaultCertificate: { certFile: ${site.certificate}, keyFile: ${site.key} } } }
`,
      );
      const config = `entryPoints: { https: { address: "127.0.0.1:${site.httpsPort}" } }
providers: { file: { filename: ${dynamic} } }
global: { checkNewVersion: false, sendAnonymousUsage: false }
serversTransport: { maxIdleConnsPerHost: 256 }
log: { level: ERROR }
`;
      return launch('traefik', [`--configFile=${write(site, 'traefik.yaml', config)}`], site, 'traefik');
    },
  },
];
