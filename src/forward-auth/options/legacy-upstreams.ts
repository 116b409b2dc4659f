/** `upstream` options as structured upstreams, as the original makes them: the path of the URL is what it serves. */
import type { Told } from './told.ts';
import type { UpstreamInput } from './structured.ts';

const DEFAULT_FLUSH_MS = 1000;
const DEFAULT_TIMEOUT_MS = 30_000;
const PARTS = /^([a-zA-Z][a-zA-Z0-9+.-]*):\/\/([^/?#]*)([^?#]*)(?:\?([^#]*))?(?:#(.*))?$/s;

export function legacyUpstreams(told: Told): readonly UpstreamInput[] {
  return told.list('upstreams').flatMap((uri) => {
    const upstream = legacyUpstream(told, uri);
    return upstream === null ? [] : [upstream];
  });
}

function legacyUpstream(told: Told, uri: string): UpstreamInput | null {
  const [, scheme = '', host = '', rawPath = '', , fragment = ''] = PARTS.exec(uri) ?? [];
  const wanted = 'write http://HOST:PORT, https://HOST, unix:///PATH, file:///FOLDER#/PATH or static://STATUS';
  if (scheme === '') {
    told.fault('upstreams', `holds ${told.quoted('upstreams', uri)}, which is no URL`, wanted);
    return null;
  }
  const path = decoded(rawPath) ?? rawPath;
  const base: UpstreamInput = {
    option: 'upstreams',
    source: told.sourceOf('upstreams'),
    id: path === '' ? '/' : path,
    path: path === '' ? '/' : path,
    rewriteTarget: '',
    uri,
    isStatic: false,
    staticCode: null,
    insecureSkipTlsVerify: told.bool('ssl_upstream_insecure_skip_verify'),
    passHostHeader: told.bool('pass_host_header'),
    proxyWebSockets: told.bool('proxy_websockets'),
    disableKeepAlives: told.bool('disable_keep_alives'),
    flushMs: told.number('flush_interval'),
    timeoutMs: told.number('upstream_timeout'),
  };
  switch (scheme.toLowerCase()) {
    case 'file':
      return fragment === '' ? base : { ...base, id: fragment, path: fragment, uri: uri.slice(0, uri.indexOf('#')) };
    case 'unix':
      return { ...base, path: '/' };
    case 'static':
      return staticUpstream(told, base, host);
    default:
      return base;
  }
}

function staticUpstream(told: Told, base: UpstreamInput, host: string): UpstreamInput {
  if (!/^\d{1,5}$/.test(host)) {
    const message = `holds ${told.quoted('upstreams', base.uri)}, whose status is no number`;
    told.fault('upstreams', message, 'write a status, such as static://202');
  }
  return {
    ...base,
    id: base.uri,
    path: '/',
    uri: '',
    isStatic: true,
    staticCode: Number(host),
    insecureSkipTlsVerify: false,
    passHostHeader: false,
    proxyWebSockets: false,
    disableKeepAlives: false,
    flushMs: DEFAULT_FLUSH_MS,
    timeoutMs: DEFAULT_TIMEOUT_MS,
  };
}

function decoded(path: string): string | null {
  try {
    return decodeURIComponent(path);
  } catch {
    return null;
  }
}
