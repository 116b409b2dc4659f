/**
 * What Postern stands in place of, for the storms: nginx and oauth2-proxy on the gateway's core, each with one thread
 * for what visitors ask, sessions in the cookie. The provider's twin and the app are on the other core, as with Postern.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePorts } from '../../test/support/free-ports.ts';
import { findPeer } from '../../test/support/peers.ts';
import { startApp } from './app.ts';
import { makeCertificate } from './certificate.ts';
import { startPinned, stop, waitForPort } from './processes.ts';
import { startTwinProcess } from './twin-control.ts';
import { BEHIND, LOAD_CORE } from './under-load.ts';
import type { StormSite, StormSiteOptions } from './storm-site.ts';
import type { TwinState } from './twin-control.ts';

interface Places {
  readonly dir: string;
  readonly https: number;
  readonly status: number;
  readonly checker: number;
  readonly app: number;
}

export async function startChainSite({ dir, core, people }: StormSiteOptions): Promise<StormSite> {
  const files = makeCertificate(dir, ['localhost']);
  const [app = 0, https = 0, checker = 0, status = 0] = await freePorts(4);
  const places = { dir: join(dir, 'chain'), https, status, checker, app };
  mkdirSync(places.dir);
  const appProcess = await startApp(join(dir, 'app'), app, LOAD_CORE);
  const twin = startTwinProcess(BEHIND);
  const state = await twin.tell({ kind: 'look' });
  const origin = `https://localhost:${https}`;
  await twin.tell({ kind: 'people', count: people, redirectUri: `${origin}/oauth2/callback` });
  const proxy = startPinned(findPeer('oauth2-proxy') ?? 'oauth2-proxy', [], {
    core,
    logFile: join(places.dir, 'oauth2-proxy.log'),
    env: {
      HOME: places.dir,
      ...(typeof core === 'number' ? { GOMAXPROCS: '1' } : {}),
      ...settings(places, origin, state),
    },
  });
  const config = join(places.dir, 'nginx.conf');
  writeFileSync(config, nginxConfig(places, files, typeof core === 'number' ? '1' : 'auto'));
  const nginx = startPinned(findPeer('nginx') ?? 'nginx', ['-c', config, '-p', places.dir], {
    core,
    logFile: join(places.dir, 'nginx.log'),
  });
  await Promise.all([waitForPort(checker), waitForPort(https)]);
  return {
    origin,
    pid: nginx.pid ?? 0,
    twin,
    async handshakes() {
      const text = await (await fetch(`http://127.0.0.1:${status}/`)).text();
      return Number(/^ *(\d+) \d+ \d+ *$/m.exec(text)?.[1]);
    },
    async close() {
      twin.close();
      await Promise.all([stop(nginx), stop(proxy), stop(appProcess)]);
    },
  };
}

function settings({ checker }: Places, origin: string, twin: TwinState): Record<string, string> {
  const all = {
    PROVIDER: 'oidc',
    OIDC_ISSUER_URL: twin.issuer,
    CLIENT_ID: twin.clientId,
    CLIENT_SECRET: twin.clientSecret,
    COOKIE_SECRET: '0123456789abcdef0123456789abcdef',
    EMAIL_DOMAINS: '*',
    // The people of the twin have no addresses.
    OIDC_EMAIL_CLAIM: 'sub',
    UPSTREAMS: 'static://202',
    HTTP_ADDRESS: `127.0.0.1:${checker}`,
    SCOPE: 'openid profile email',
    CODE_CHALLENGE_METHOD: 'S256',
    REVERSE_PROXY: 'true',
    SET_XAUTHREQUEST: 'true',
    SKIP_PROVIDER_BUTTON: 'true',
    REDIRECT_URL: `${origin}/oauth2/callback`,
    REQUEST_LOGGING: 'false',
    AUTH_LOGGING: 'false',
  };
  return Object.fromEntries(Object.entries(all).map(([name, value]) => [`OAUTH2_PROXY_${name}`, value]));
}

/** As oauth2-proxy's own documentation has it for `auth_request`. */
function nginxConfig(
  places: Places,
  files: { readonly certificate: string; readonly key: string },
  workers: string,
): string {
  const { dir, https, status, checker, app } = places;
  const asked = `proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host:${https};
      proxy_set_header X-Real-IP $remote_addr; proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Forwarded-Uri $request_uri;`;
  return `daemon off; worker_processes ${workers}; pid ${dir}/nginx.pid; error_log ${dir}/nginx-error.log crit;
worker_rlimit_nofile 65536;
events { worker_connections 40000; }
http {
  access_log off; keepalive_requests 100000000; keepalive_timeout 1h; client_body_temp_path ${dir}; proxy_temp_path ${dir};
  fastcgi_temp_path ${dir}; uwsgi_temp_path ${dir}; scgi_temp_path ${dir};
  large_client_header_buffers 4 32k; proxy_buffer_size 32k; proxy_buffers 4 32k; proxy_busy_buffers_size 64k;
  upstream app { server 127.0.0.1:${app}; keepalive 256; keepalive_requests 100000000; }
  upstream checker { server 127.0.0.1:${checker}; keepalive 256; keepalive_requests 100000000; }
  server { listen 127.0.0.1:${status}; location / { stub_status; } }
  server {
    listen 127.0.0.1:${https} ssl backlog=4096; ssl_certificate ${files.certificate}; ssl_certificate_key ${files.key};
    location /oauth2/ { proxy_pass http://checker; ${asked} }
    location = /oauth2/auth { internal; proxy_pass http://checker; ${asked} proxy_set_header Content-Length ""; proxy_pass_request_body off; }
    location @sign-in { return 302 /oauth2/start?rd=$scheme://$http_host$request_uri; }
    location / {
      auth_request /oauth2/auth; error_page 401 = @sign-in;
      auth_request_set $user $upstream_http_x_auth_request_user; proxy_set_header X-User $user;
      proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host;
    }
  }
}
`;
}
