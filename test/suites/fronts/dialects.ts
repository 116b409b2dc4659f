/** Each page of docs/forward-auth as a running proxy. */
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { serversOf } from './ingress.ts';
import { blockOf, fillIn, parseEnv } from './page.ts';
import { IS_ORIGINAL, writeFile } from './rig.ts';
import type { Dialect, Place } from './rig.ts';

/** The original knows no /oauth2/forward: its own way to a redirect is an upstream that says yes. */
const STATIC_FOR_ORIGINAL: Readonly<Record<string, string>> = IS_ORIGINAL
  ? { OAUTH2_PROXY_UPSTREAMS: 'static://200', OAUTH2_PROXY_SKIP_PROVIDER_BUTTON: 'true' }
  : {};

const forOriginal = (text: string): string => (IS_ORIGINAL ? text.replaceAll('/oauth2/forward', '/') : text);

const placesOf = ({ auth, world }: Place): Record<string, string> => ({
  '127.0.0.1:4180': auth,
  '127.0.0.1:3000': `127.0.0.1:${world.app.port}`,
});

const certificateOf = ({ world }: Place): Record<string, string> => ({
  '/etc/ssl/example.com.pem': world.certificate,
  '/etc/ssl/example.com.key': world.key,
});

/** `http {}` around the servers, with all that nginx writes in one folder. */
function nginxOf({ dir }: Place, servers: string): readonly [string, ...string[]] {
  const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${dir}/${name};`);
  const file = writeFile(
    dir,
    'nginx.conf',
    `${process.getuid?.() === 0 ? 'user root;' : ''} daemon off; worker_processes 1; pid ${dir}/pid; error_log stderr warn;
events { worker_connections 256; }
http {
  access_log off;
  ${temp.join(' ')}
${servers}
}
`,
  );
  return ['nginx', '-c', file, '-p', dir];
}

function nginx(heading: string, more: Partial<Dialect> = {}): Dialect {
  return {
    name: `nginx: ${heading}`,
    peers: ['nginx'],
    env: {},
    ...more,
    command(place) {
      const { dir, port } = place;
      mkdirSync(join(dir, 'snippets'));
      // As the page says of ports that visitors type.
      const named = { $host: '$host:$server_port' };
      writeFile(dir, 'snippets/sign-in.conf', fillIn(blockOf('nginx.md', 'The endpoints of sign-in', 'nginx'), named));
      writeFile(dir, 'snippets/signed-in.conf', fillIn(blockOf('nginx.md', 'Who came in', 'nginx'), named));
      const servers = fillIn(blockOf('nginx.md', heading, 'nginx'), {
        ...placesOf(place),
        ...certificateOf(place),
        ...named,
        'listen 443 ssl': `listen 127.0.0.1:${port} ssl`,
      });
      return nginxOf(place, servers);
    },
  };
}

function traefik(heading: string, more: Partial<Dialect> = {}, changes: Record<string, string> = {}): Dialect {
  return {
    name: `Traefik: ${heading}`,
    peers: ['traefik'],
    env: {},
    ...more,
    command(place) {
      const { dir, port } = place;
      const places = { ...placesOf(place), ...certificateOf(place), ...changes };
      const routes = fillIn(blockOf('traefik.md', heading, 'yaml'), places);
      const file = fillIn(blockOf('traefik.md', 'Static configuration', 'yaml'), {
        '":443"': `"127.0.0.1:${port}"`,
        '/etc/traefik/dynamic.yaml': writeFile(dir, 'dynamic.yaml', forOriginal(routes)),
      });
      return ['traefik', `--configFile=${writeFile(dir, 'traefik.yaml', file)}`];
    },
  };
}

function caddy(heading: string, more: Partial<Dialect> = {}): Dialect {
  return {
    name: `Caddy: ${heading}`,
    peers: ['caddy'],
    env: {},
    ...more,
    command(place) {
      const { dir, port } = place;
      const page = fillIn(blockOf('caddy.md', heading, 'caddyfile'), { ...placesOf(place), ...certificateOf(place) });
      const options = ['admin off', 'auto_https disable_redirects', `https_port ${port}`, 'default_bind 127.0.0.1'];
      const text = `{\n\t${options.join('\n\t')}\n\tskip_install_trust\n}\n${forOriginal(page)}`;
      return ['caddy', 'run', '--adapter', 'caddyfile', '--config', writeFile(dir, 'Caddyfile', text)];
    },
  };
}

const HAPROXY: Dialect = {
  name: 'HAProxy',
  peers: ['haproxy'],
  env: STATIC_FOR_ORIGINAL,
  command(place) {
    const { dir, port, world } = place;
    const question = fillIn(blockOf('haproxy.md', 'The question', 'lua'), { '127.0.0.1:4180': place.auth });
    const both = readFileSync(world.certificate, 'utf8') + readFileSync(world.key, 'utf8');
    const config = fillIn(blockOf('haproxy.md', 'Postern answers for itself', 'haproxy'), {
      ...placesOf(place),
      '/etc/haproxy/sign-in.lua': writeFile(dir, 'sign-in.lua', question),
      '/etc/ssl/example.com.pem': writeFile(dir, 'both.pem', both),
      'bind :443': `bind 127.0.0.1:${port}`,
    });
    return ['haproxy', '-db', '-f', writeFile(dir, 'haproxy.cfg', forOriginal(config))];
  },
};

/** `isPrefixed`: the path goes behind the endpoint's own, as the page says of older Envoys and of Istio. */
function envoy(isPrefixed: boolean): Dialect {
  return {
    name: isPrefixed ? 'Envoy: With a path prefix' : 'Envoy: Postern answers for itself',
    peers: ['envoy'],
    leadsFromDot: true,
    env: STATIC_FOR_ORIGINAL,
    command(place) {
      const { dir, port, auth, world } = place;
      const config = fillIn(blockOf('envoy.md', 'Postern answers for itself', 'yaml'), {
        '127.0.0.1:4180': auth,
        'address: 127.0.0.1, port_value: 4180': `address: 127.0.0.1, port_value: ${auth.split(':')[1] ?? ''}`,
        'address: 127.0.0.1, port_value: 3000': `address: 127.0.0.1, port_value: ${world.app.port}`,
        'address: 0.0.0.0, port_value: 443': `address: 127.0.0.1, port_value: ${port}`,
        ...certificateOf(place),
        ...(isPrefixed ? { 'path_override: /oauth2/forward\n': 'path_prefix: /oauth2/forward\n' } : {}),
      });
      const file = writeFile(dir, 'envoy.yaml', forOriginal(config));
      return ['envoy', '-c', file, '--base-id', String(port % 4_000), '--log-level', 'warn'];
    },
  };
}

/** As oauth2-proxy's own documentation has it, and as it stands in many an nginx: nothing more is said or overwritten. */
const NGINX_OF_ORIGINAL: Dialect = {
  name: "nginx: oauth2-proxy's own form",
  peers: ['nginx'],
  originalLoops: true,
  env: {},
  ...(IS_ORIGINAL ? { jsonStatus: 200 } : {}),
  command(place) {
    const { port, auth, world } = place;
    const app = `127.0.0.1:${world.app.port}`;
    const server = (names: string, question: string, more = ''): string => `server {
  listen 127.0.0.1:${port} ssl; server_name ${names};
  ssl_certificate ${world.certificate}; ssl_certificate_key ${world.key};
  client_max_body_size 100m;
  location /oauth2/ {
    proxy_pass http://${auth};
    proxy_set_header Host $host:$server_port;
    proxy_set_header X-Real-IP $remote_addr;
    proxy_set_header X-Auth-Request-Redirect $request_uri;
  }
  location = /oauth2/sign_out {
    proxy_pass http://${auth};
    proxy_set_header Host $host:$server_port;
  }
  location = /oauth2/auth {
    proxy_pass http://${auth};
    proxy_set_header Host $host:$server_port;
    proxy_set_header X-Real-IP $remote_addr;
    proxy_set_header X-Forwarded-Uri $request_uri;
    proxy_set_header Content-Length "";
    proxy_pass_request_body off;
  }
  ${more}
  location / {
    auth_request ${question};
    error_page 401 = /oauth2/sign_in;
    auth_request_set $user $upstream_http_x_auth_request_user;
    auth_request_set $email $upstream_http_x_auth_request_email;
    auth_request_set $name $upstream_http_x_auth_request_preferred_username;
    auth_request_set $groups $upstream_http_x_auth_request_groups;
    proxy_set_header X-Auth-Request-User $user;
    proxy_set_header X-Auth-Request-Email $email;
    proxy_set_header X-Auth-Request-Preferred-Username $name;
    proxy_set_header X-Auth-Request-Groups $groups;
    proxy_set_header X-Auth-Request-Access-Token "";
    auth_request_set $auth_cookie $upstream_http_set_cookie;
    add_header Set-Cookie $auth_cookie;
    proxy_http_version 1.1;
    proxy_set_header Host $host:$server_port;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection $connection_upgrade;
    proxy_buffering off;
    proxy_pass http://${app};
  }
}`;
    const ops = `location = /_ops {
    internal;
    proxy_pass http://${auth}/oauth2/auth?allowed_groups=/ops;
    proxy_set_header Host $host:$server_port;
    proxy_set_header X-Forwarded-Uri $request_uri;
    proxy_set_header Content-Length "";
    proxy_pass_request_body off;
  }`;
    const map = 'map $http_upgrade $connection_upgrade { default upgrade; "" ""; }';
    const apps = server('app.example.com wiki.example.com', '/oauth2/auth');
    return nginxOf(place, [map, apps, server('admin.example.com', '/_ops', ops)].join('\n'));
  },
};

const INGRESS_NGINX: Dialect = {
  name: 'ingress-nginx',
  pastesAddress: true,
  originalFailsOpen: true,
  handsHostOn: true,
  peers: ['nginx'],
  env: {},
  // The controller redirects whatever was asked.
  jsonStatus: 302,
  signOutHost: 'auth',
  command(place) {
    const { port, auth, world } = place;
    const yaml = fillIn(blockOf('ingress-nginx.md', 'The apps', 'yaml'), {
      'https://auth.example.com/': `https://auth.example.com:${port}/`,
    });
    const services = { app: `127.0.0.1:${world.app.port}`, postern: auth };
    return nginxOf(place, serversOf(yaml, { port, certificate: world.certificate, key: world.key, services }));
  },
};

const IN_PLACE = 'As it stands: the sign-in page in place';
const STATIC_UPSTREAM = 'As it stands: a static upstream';

export const DIALECTS: readonly Dialect[] = [
  ...(IS_ORIGINAL ? [] : [nginx('Postern answers for itself', { leadsFromDot: true })]),
  nginx('As it stands: the sign-in page in place', IS_ORIGINAL ? { jsonStatus: 200 } : {}),
  nginx('As it stands: straight to the provider', { pastesAddress: true, leadsFromDot: true }),
  NGINX_OF_ORIGINAL,
  traefik('Postern answers for itself', { env: STATIC_FOR_ORIGINAL, leadsFromDot: true }),
  traefik(IN_PLACE, { refusesByPage: true }),
  traefik(IN_PLACE, { refusesByPage: true, name: "Traefik: oauth2-proxy's own form" }, { '&status={status}': '' }),
  traefik(STATIC_UPSTREAM, { env: parseEnv(blockOf('traefik.md', STATIC_UPSTREAM, 'sh')), leadsFromDot: true }),
  caddy('Postern answers for itself', { env: STATIC_FOR_ORIGINAL }),
  caddy('As it stands: a redirect', { pastesAddress: true }),
  HAPROXY,
  envoy(false),
  ...(IS_ORIGINAL ? [] : [envoy(true)]),
  INGRESS_NGINX,
];

/** nginx with Postern's page in place, which keeps the fragment; the others speak HTTP/2 with a browser. */
export const IN_BROWSER: readonly Dialect[] = [
  nginx('As it stands: the sign-in page in place', { keepsFragment: true }),
  traefik('Postern answers for itself', { env: STATIC_FOR_ORIGINAL }),
  caddy('Postern answers for itself', { env: STATIC_FOR_ORIGINAL }),
  HAPROXY,
  envoy(false),
];
