/** Upstreams and headers, of either form. */
import { statSync } from 'node:fs';
import { openSource, unreadable } from './build-secret.ts';
import { expression } from './build-people.ts';
import type { BuildContext } from './context.ts';
import type { HeaderInjection, HeaderValue, UpstreamSettings } from '../settings.ts';
import type { HeaderInput, HeaderValueInput, Said, UpstreamInput } from './structured.ts';

type Fault = (said: Said, message: string, remedy: string | null) => null;

function faults({ findings }: BuildContext): Fault {
  return ({ option, source }, message, remedy) => {
    findings.add({ severity: 'error', option, source, message, remedy });
    return null;
  };
}

export function buildUpstreams(context: BuildContext): readonly UpstreamSettings[] {
  const fault = faults(context);
  const { upstreams } = context.structured;
  reportTwins(
    upstreams,
    (one) => one.path,
    (one, path) =>
      fault(
        one,
        `serves the path "${path}" twice`,
        'give each upstream a path of its own, such as http://127.0.0.1:9000/api/',
      ),
  );
  reportTwins(
    upstreams,
    (one) => one.id,
    (one, id) => fault(one, `has the id "${id}" twice`, 'give each its own'),
  );
  return upstreams.flatMap((upstream) => {
    const target = targetOf(upstream, fault);
    const rewrite = rewriteOf(context, upstream);
    if (target === null) return [];
    const { id, path, timeoutMs, flushMs, insecureSkipTlsVerify: skipTlsVerify, passHostHeader } = upstream;
    if (!path.startsWith('/') && rewrite === null)
      fault(upstream, `has the path "${path}", which does not begin with "/"`, 'write "/" or "/api/"');
    if (timeoutMs < 0) fault(upstream, 'has a timeout of less than nothing', 'write one such as 30s');
    return [
      {
        id,
        path,
        rewrite,
        target,
        skipTlsVerify,
        passHostHeader,
        websockets: upstream.proxyWebSockets,
        timeoutMs,
        flushMs,
        keepAlive: !upstream.disableKeepAlives,
      },
    ];
  });
}

function reportTwins<T>(list: readonly T[], keyOf: (one: T) => string, report: (one: T, key: string) => void): void {
  const seen = new Set<string>();
  for (const one of list) {
    const key = keyOf(one);
    if (seen.has(key)) report(one, key);
    seen.add(key);
  }
}

function targetOf(upstream: UpstreamInput, fault: Fault): UpstreamSettings['target'] | null {
  const { uri } = upstream;
  if (upstream.isStatic) {
    const status = upstream.staticCode ?? 200;
    if (status >= 200 && status <= 599) return { kind: 'static', status };
    return fault(upstream, `answers with the status ${status}`, 'write one from 200 to 599');
  }
  const scheme = /^([a-zA-Z][a-zA-Z0-9+.-]*):\/\//.exec(uri)?.[1]?.toLowerCase();
  if (scheme === 'http' || scheme === 'https') {
    if (!URL.canParse(uri)) return fault(upstream, `is "${masked(uri)}", no URL`, 'write http://HOST:PORT');
    const url = new URL(uri);
    if (url.username !== '' || url.password !== '')
      return fault(
        upstream,
        `is "${masked(uri)}", with a password in it`,
        'take it out; the application signs people in by headers',
      );
    return { kind: 'http', url: url.origin };
  }
  if (scheme === 'unix') {
    const socket = uri.slice('unix://'.length);
    if (socket.startsWith('/')) return { kind: 'unix', socket };
    return fault(upstream, `is "${uri}", not the whole path of a socket`, 'write unix:///run/app.sock');
  }
  if (scheme === 'file') return folderOf(upstream, fault);
  return fault(
    upstream,
    `is "${masked(uri)}", no kind that is known`,
    'write http://, https://, unix://, file:// or static://',
  );
}

function masked(uri: string): string {
  return uri.replace(/\/\/[^/@]*@/, '//(secret)@');
}

function folderOf(upstream: UpstreamInput, fault: Fault): UpstreamSettings['target'] | null {
  const folder = upstream.uri.slice('file://'.length);
  try {
    if (statSync(folder).isDirectory()) return { kind: 'file', folder };
    return fault(upstream, `is the file "${folder}", not a folder`, 'write file:///FOLDER#/PATH');
  } catch (error) {
    return fault(upstream, `is the folder "${folder}", which ${unreadable(error)}`, 'write file:///FOLDER#/PATH');
  }
}

function rewriteOf({ told }: BuildContext, upstream: UpstreamInput): UpstreamSettings['rewrite'] {
  if (upstream.rewriteTarget === '') return null;
  const pattern = expression(told, 'upstreams', upstream.path);
  return pattern === null ? null : { pattern, target: upstream.rewriteTarget };
}

export function buildHeaders(context: BuildContext, headers: readonly HeaderInput[]): readonly HeaderInjection[] {
  const fault = faults(context);
  reportTwins(
    headers,
    (one) => one.name.toLowerCase(),
    (one) => fault(one, `sets the header "${one.name}" a second time`, 'keep one of the options that set it'),
  );
  return headers.map((header) => {
    if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(header.name))
      fault(header, `sets the header "${header.name}", which is no name of a header`, 'write letters, digits and "-"');
    return {
      name: header.name,
      keepsRequestValue: header.preserveRequestValue,
      skipsNormalisation: header.insecureSkipHeaderNormalization,
      values: header.values.flatMap((value) => valueOf(context, header, value) ?? []),
    };
  });
}

function valueOf(context: BuildContext, header: HeaderInput, input: HeaderValueInput): HeaderValue | null {
  if (input.kind === 'secret') {
    const value = openSource(context, input.source, header);
    return value === null ? null : { kind: 'fixed', value };
  }
  const { claim, prefix, basicAuthPassword } = input.source;
  if (claim === '')
    return faults(context)(header, `has no claim for the header "${header.name}"`, 'write claim: email');
  if (basicAuthPassword === null) return { kind: 'claim', claim, prefix, basicPassword: null };
  const basicPassword = openPassword(context, header, basicAuthPassword);
  return basicPassword === null ? null : { kind: 'claim', claim, prefix, basicPassword };
}

function openPassword(
  context: BuildContext,
  header: HeaderInput,
  source: Parameters<typeof openSource>[1],
): ReturnType<typeof openSource> {
  const isMissing = source.value === '' && source.fromEnv === null && source.fromFile === null;
  if (!isMissing) return openSource(context, source, header);
  faults(context)(header, 'needs basic_auth_password', 'give it, or take this out');
  return null;
}
