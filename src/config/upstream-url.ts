/**
 * Where an app is: http, https or h2c with host and port, unix:/path, files:/folder, app:whoami.
 * A path, query or credentials in the URL are refused: they would be silently lost or doubled.
 */
import { parseDnsName } from './host-name.ts';
import { fault, type Fault, read, type Reading } from './reading.ts';
import { ADDRESS_TEMPLATES, hasTemplate, templateFault } from './template.ts';

export type Target =
  | {
      readonly kind: 'server';
      readonly scheme: 'http' | 'https' | 'h2c' | 'unix';
      readonly host: string;
      readonly port: number | string;
      readonly isTemplate: boolean;
    }
  | { readonly kind: 'files'; readonly root: string }
  | { readonly kind: 'app'; readonly name: string };

export interface TargetRules {
  readonly maps: ReadonlySet<string>;
  /** Makes a path absolute, from the document's folder. */
  readonly resolvePath: (path: string) => string;
}

const DEFAULT_PORT = { http: 80, https: 443, h2c: 80 } as const;
const NETWORK = /^(https?|h2c):\/\/([^/?#]*)(.*)$/is;
/** sun_path of Linux, with its closing NUL. */
const LONGEST_SOCKET_PATH = 107;
const EXAMPLE = '"http://127.0.0.1:3000"';

export function parseTarget(text: string, rules: TargetRules): Reading<Target> {
  const network = NETWORK.exec(text);
  if (network !== null) return parseServer(text, network, rules);
  if (text.startsWith('unix:')) return parseUnix(text.slice(5), rules);
  if (text.startsWith('files:')) return parseFiles(text.slice(6), rules);
  if (text.startsWith('app:')) return parseApp(text.slice(4));
  return fault('is not the URL of an app', schemeRemedy(text));
}

function schemeRemedy(text: string): string {
  const socket = /^wss?:\/\//.exec(text)?.[0];
  if (socket !== undefined)
    return `write "${socket === 'ws://' ? 'http' : 'https'}://${text.slice(socket.length)}"; WebSockets pass by themselves`;
  if (text.startsWith('/')) return `write "unix:${text}" for a socket, or "files:${text}" for a folder`;
  if (/^[\w.-]+(?::\d+)?$/.test(text)) return `write "http://${text}"`;
  const host = /^([\w.-]+):(?!\/\/)/.exec(text)?.[1];
  if (host !== undefined) return `write "http://${host}:8080", or a URL such as "https://${host}:8443"`;
  return `write a URL such as ${EXAMPLE}, "unix:/run/app.sock" or "files:/srv/www"`;
}

function parseServer(text: string, match: RegExpExecArray, rules: TargetRules): Reading<Target> {
  const scheme = (match[1] ?? '').toLowerCase() as 'http' | 'https' | 'h2c';
  const authority = match[2] ?? '';
  const tail = match[3] ?? '';
  if (tail !== '' && tail !== '/') return tailFault(tail, `${scheme}://${authority}`);
  if (authority.includes('@')) {
    return fault('has a user name or password', 'send credentials with "add_headers"');
  }
  const templates = templateFault(authority, { known: ADDRESS_TEMPLATES, maps: rules.maps });
  if (templates !== null) return templates;
  const split = /^(.*?)(?::([^:\]]*))?$/s.exec(authority);
  const portText = split?.[2];
  const host = parseServerHost(split?.[1] ?? '', text);
  if (!host.ok) return host;
  const port = portText === undefined ? read(DEFAULT_PORT[scheme]) : parsePort(portText);
  if (!port.ok) return port;
  return read({ kind: 'server', scheme, host: host.value, port: port.value, isTemplate: hasTemplate(authority) });
}

function tailFault(tail: string, base: string): Fault {
  if (!tail.startsWith('/')) return fault('has a query or fragment', `write "${base}"`);
  const path = tail.split(/[?#]/)[0]?.replace(/\/$/, '') ?? '';
  return fault(
    `has the path "${tail}", expected scheme, host and port alone`,
    `write "${base}" and "rewrite: ${path}{path}"`,
  );
}

function parseServerHost(host: string, text: string): Reading<string> {
  if (host === '') return fault('has no host', `write a URL such as ${EXAMPLE}`);
  if (/[[\]]/.test(host) ? !/^\[[^[\]]*\]$/.test(host) : host.includes(':')) {
    return fault('has a host that is neither name nor address', 'put brackets around an IPv6 address');
  }
  // A stand-in for each template, so that the rest of the name is checked all the same.
  const name = parseDnsName(host.replaceAll(/\{[^{}]*\}/g, 'x'));
  if (!name.ok) return fault(`has a host that is no name: "${host}"`, `write a URL such as ${EXAMPLE}`);
  return read(hasTemplate(text) && hasTemplate(host) ? host.toLowerCase() : name.value);
}

function parsePort(text: string): Reading<number | string> {
  if (/^\{map\.[^{}]+\}$/.test(text)) return read(text);
  if (hasTemplate(text))
    return fault('has a port that is no mapped value', 'write one template alone, such as ":{map.port}"');
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port < 1 || port > 65_535) return fault(`has the port "${text}", expected one from 1 to 65535`, null);
  return read(port);
}

function parseUnix(path: string, rules: TargetRules): Reading<Target> {
  if (path === '' || path.startsWith('//')) return fault('is not a socket', 'write "unix:/run/app.sock"');
  const templates = templateFault(path, { known: ADDRESS_TEMPLATES, maps: rules.maps });
  if (templates !== null) return templates;
  if (path.includes('\0')) return fault('holds a NUL', null);
  const host = rules.resolvePath(path);
  if (Buffer.byteLength(host) > LONGEST_SOCKET_PATH) {
    return fault(`is longer than the ${LONGEST_SOCKET_PATH} bytes that a socket path may have`, null);
  }
  return read({ kind: 'server', scheme: 'unix', host, port: 0, isTemplate: hasTemplate(path) });
}

function parseFiles(path: string, rules: TargetRules): Reading<Target> {
  if (path === '' || path.startsWith('//')) return fault('is not a folder', 'write "files:/srv/www"');
  if (path.includes('\0')) return fault('holds a NUL', null);
  if (hasTemplate(path)) return fault('has a template, expected a fixed folder', null);
  return read({ kind: 'files', root: rules.resolvePath(path) });
}

function parseApp(name: string): Reading<Target> {
  if (name === 'whoami') return read({ kind: 'app', name });
  const remedy = /^\d/.test(name) ? 'write "http://app:8080" for an app on a host called "app"' : 'write "app:whoami"';
  return fault('is not a built-in app', remedy);
}
