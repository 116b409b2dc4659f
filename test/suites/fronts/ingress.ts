/**
 * The nginx servers that ingress-nginx 1.15 writes for Ingress objects with auth annotations: what its template
 * says of the sub-request, of Set-Cookie, of the headers that are passed on, and of the redirect to sign in.
 * Postern's names stand for the cluster's services.
 */
import { parseAllDocuments } from 'yaml';

interface Ingress {
  readonly metadata: { readonly name: string; readonly annotations?: Readonly<Record<string, string>> };
  readonly spec: {
    readonly rules: readonly {
      readonly host: string;
      readonly http: {
        readonly paths: readonly {
          readonly path: string;
          readonly backend: { readonly service: { readonly name: string } };
        }[];
      };
    }[];
  };
}

const PREFIX = 'nginx.ingress.kubernetes.io/';

export interface Cluster {
  readonly port: number;
  readonly certificate: string;
  readonly key: string;
  /** "127.0.0.1:1234" by the name of the service. */
  readonly services: Readonly<Record<string, string>>;
}

export function serversOf(yaml: string, cluster: Cluster): string {
  const ingresses = parseAllDocuments(yaml).map((document) => document.toJS() as Ingress);
  const servers = ingresses.flatMap((ingress) => ingress.spec.rules.map((rule) => serverOf(ingress, rule, cluster)));
  return `map $http_upgrade $connection_upgrade { default upgrade; '' ''; }\n${servers.join('\n')}`;
}

function serverOf(ingress: Ingress, rule: Ingress['spec']['rules'][number], cluster: Cluster): string {
  const annotation = (name: string): string | undefined => ingress.metadata.annotations?.[PREFIX + name];
  const authUrl = annotation('auth-url');
  const locations = rule.http.paths.map(({ path, backend }) => {
    const auth = authUrl === undefined ? '' : protectedBy(annotation);
    return `location ${path} {
    ${auth}
    client_max_body_size ${annotation('proxy-body-size') ?? '1m'};
    proxy_set_header Host $http_host;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection $connection_upgrade;
    proxy_set_header X-Request-ID $request_id;
    proxy_set_header X-Real-IP $remote_addr;
    proxy_set_header X-Forwarded-For $remote_addr;
    proxy_set_header X-Forwarded-Host $http_host;
    proxy_set_header X-Forwarded-Port $server_port;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_set_header X-Forwarded-Scheme $scheme;
    proxy_set_header X-Scheme $scheme;
    proxy_set_header X-Original-Forwarded-For $http_x_forwarded_for;
    proxy_buffering ${annotation('proxy-buffering') ?? 'off'};
    proxy_http_version 1.1;
    proxy_pass http://${serviceOf(cluster, backend.service.name)};
  }`;
  });
  return `server {
  listen 127.0.0.1:${cluster.port} ssl;
  server_name ${rule.host};
  ssl_certificate ${cluster.certificate};
  ssl_certificate_key ${cluster.key};
  ${authUrl === undefined ? '' : questionTo(authUrl, annotation, cluster)}
  ${locations.join('\n  ')}
}`;
}

function serviceOf(cluster: Cluster, name: string): string {
  const at = cluster.services[name];
  if (at === undefined) throw new Error(`Cannot find the service "${name}"`);
  return at;
}

function protectedBy(annotation: (name: string) => string | undefined): string {
  const passed = (annotation('auth-response-headers') ?? '').split(/\s*,\s*/).filter((name) => name !== '');
  const lines = passed.map((name, at) => {
    const variable = `upstream_http_${name.toLowerCase().replaceAll('-', '_')}`;
    return `auth_request_set $authHeader${at} $${variable}; proxy_set_header '${name}' $authHeader${at};`;
  });
  return `auth_request /_external-auth;
    auth_request_set $auth_cookie $upstream_http_set_cookie;
    add_header Set-Cookie $auth_cookie;
    ${lines.join('\n    ')}
    error_page 401 = @sign-in;`;
}

/** The sub-request and the redirect. A sign-in address that says "rd=" by itself is taken as it is. */
function questionTo(authUrl: string, annotation: (name: string) => string | undefined, cluster: Cluster): string {
  const url = new URL(authUrl);
  const target = `http://${serviceOf(cluster, url.hostname.split('.')[0] ?? '')}${url.pathname}${url.search}`;
  return `location = /_external-auth {
    internal;
    proxy_pass_request_body off;
    proxy_set_header Content-Length "";
    proxy_set_header X-Forwarded-Proto "";
    proxy_set_header X-Request-ID $request_id;
    proxy_set_header Host ${url.hostname};
    proxy_set_header X-Original-URL $scheme://$http_host$request_uri;
    proxy_set_header X-Original-Method $request_method;
    proxy_set_header X-Sent-From "nginx-ingress-controller";
    proxy_set_header X-Real-IP $remote_addr;
    proxy_set_header X-Forwarded-For $remote_addr;
    proxy_set_header X-Auth-Request-Redirect $request_uri;
    proxy_buffering off;
    proxy_http_version 1.1;
    proxy_pass_request_headers on;
    client_max_body_size ${annotation('proxy-body-size') ?? '1m'};
    set $target ${target};
    proxy_pass $target;
  }
  location @sign-in {
    internal;
    add_header Set-Cookie $auth_cookie;
    return 302 ${annotation('auth-signin') ?? ''};
  }`;
}
