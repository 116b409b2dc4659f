/** Reads what a route does: pass to an app, serve files, redirect, answer. Exactly one of them. */
import type { Action, Choice, UpstreamServer } from '../document/actions.ts';
import type { Path } from '../document/path.ts';
import { fault, read, type Reading } from '../reading.ts';
import type { ChoiceInput, RouteInput, ServerInput } from '../schema/routes.ts';
import { parseTarget, type Target } from '../upstream-url.ts';
import { type Context, entriesOf } from './context.ts';
import { readFixedHeaders } from './header-edits.ts';
import type { ProxySettings } from './proxy.ts';
import { readRules } from './rules.ts';

const ACTION_KEYS = ['to', 'redirect', 'respond', 'routes'] as const;

type SimpleAction = Choice['action'];

export function givenActions(input: RouteInput, path: Path, context: Context): readonly string[] {
  return ACTION_KEYS.filter((key) => input[key] !== undefined || context.isBroken([...path, key]));
}

/** Null, and reported, where no usable action is given. */
export function readAction(input: RouteInput, path: Path, proxy: ProxySettings, context: Context): Action | null {
  const given = givenActions(input, path, context);
  if (given.length === 0) {
    context.report(path, 'says nothing to do', 'add "to" with the URL of the app, or "redirect" or "respond"');
    return null;
  }
  if (given.length > 1) {
    context.report(
      path,
      `has ${given.map((key) => `"${key}"`).join(' and ')}, expected one of them`,
      'remove all but one',
    );
    return null;
  }
  if (input.routes !== undefined) return readChoices(input.routes, [...path, 'routes'], proxy, context);
  return readSimple(input, path, proxy, context);
}

function readSimple(input: ChoiceInput, path: Path, proxy: ProxySettings, context: Context): SimpleAction | null {
  if (input.redirect !== undefined) return readRedirect(input.redirect, [...path, 'redirect'], context);
  if (input.respond !== undefined) return readRespond(input.respond, [...path, 'respond'], context);
  return input.to === undefined ? null : readTo(input.to, [...path, 'to'], proxy, context);
}

function readChoices(
  input: readonly (ChoiceInput | undefined)[],
  path: Path,
  proxy: ProxySettings,
  context: Context,
): Action | null {
  const choices: Choice[] = [];
  let isWhole = true;
  for (const [index, one] of input.entries()) {
    const at = [...path, index];
    if (one === undefined) {
      isWhole = false;
      continue;
    }
    const action = readAction(one, at, proxy, context);
    const when = readRules(one.when, [...at, 'when'], context);
    if (when === null && index < input.length - 1) {
      const remedy = 'add "when", or put it last';
      context.report(at, 'has no "when", so that those after it are never reached', remedy);
    }
    // A choice has no `routes` of its own: its shape has no such key.
    if (action === null || action.kind === 'choose') isWhole = false;
    else choices.push({ when, action, at });
  }
  if (input.length === 0) context.report(path, 'is an empty list', 'add choices with "when" and "to"');
  return isWhole && choices.length > 0 ? { kind: 'choose', choices } : null;
}

function readTo(
  input: NonNullable<RouteInput['to']>,
  path: Path,
  proxy: ProxySettings,
  context: Context,
): SimpleAction | null {
  const servers: UpstreamServer[] = [];
  const others: SimpleAction[] = [];
  let isWhole = true;
  for (const [entry, at] of entriesOf<string | ServerInput>(input, path)) {
    const target = readTarget(entry, at, context);
    if (target === null) isWhole = false;
    else if (target.kind === 'files') others.push(target);
    else if (target.kind === 'app') others.push({ kind: 'whoami' });
    else {
      const { scheme, host, port, isTemplate } = target;
      servers.push({
        scheme,
        host,
        port,
        isTemplate,
        weight: (typeof entry === 'string' ? undefined : entry.weight) ?? 1,
        at,
      });
    }
  }
  if (Array.isArray(input) && input.length === 0) context.report(path, 'is an empty list', 'write the URL of the app');
  if (servers.length + others.length > 1 && others.length > 0) {
    context.report(path, 'mixes "files:" or "app:" with other servers', 'write it alone');
    return null;
  }
  if (others[0] !== undefined) return others[0];
  if (servers.length === 0 || !isWhole) return null;
  checkProxy(servers, path, proxy, context);
  return { kind: 'proxy', servers, ...proxy, at: path };
}

function readTarget(entry: string | ServerInput, at: Path, context: Context): Target | null {
  const isText = typeof entry === 'string';
  const text = isText ? entry : entry.url;
  if (text === undefined) {
    if (!context.isBroken([...at, 'url'])) context.report(at, 'has no "url"', 'add "url" with the URL of the server');
    return null;
  }
  const target = parseTarget(text, context);
  if (target.ok) return target.value;
  // A password in the URL must not come to stand in a log.
  context.fault(isText ? at : [...at, 'url'], target, { isSecret: text.includes('@') });
  return null;
}

function checkProxy(servers: readonly UpstreamServer[], path: Path, proxy: ProxySettings, context: Context): void {
  if (proxy.hostHeader === 'upstream' && servers.some((server) => server.scheme === 'unix')) {
    context.report(
      path,
      'is a socket without a host, but "host_header" is "upstream"',
      'write a host name as "host_header"',
    );
  }
  if (proxy.health !== null && servers.some((server) => server.isTemplate)) {
    context.report(path, 'has a template, which active health checks cannot fill in', 'remove "health"');
  }
  const schemes = new Set(servers.map((server) => server.scheme));
  if (schemes.has('h2c') && schemes.size > 1) {
    context.report(path, 'mixes "h2c://" with other schemes', 'write one scheme for all servers');
  }
}

const REDIRECTS: readonly number[] = [301, 302, 303, 307, 308];

function readRedirect(input: NonNullable<RouteInput['redirect']>, path: Path, context: Context): SimpleAction | null {
  const isText = typeof input === 'string';
  const text = isText ? input : input.to;
  const at = isText ? path : [...path, 'to'];
  const status = (isText ? undefined : input.status) ?? 302;
  if (!REDIRECTS.includes(status)) context.report([...path, 'status'], 'is not 301, 302, 303, 307 or 308');
  if (text === undefined) {
    if (!context.isBroken(at)) context.report(path, 'has no "to"', 'add "to" with a URL');
    return null;
  }
  const to = parseRedirect(text);
  if (to.ok) return { kind: 'redirect', to: to.value, status: status as 302 };
  context.fault(at, to);
  return null;
}

/** The host of the target is fixed: a request must never choose it. */
function parseRedirect(text: string): Reading<string> {
  const rest = text.replaceAll('{path}', '').replaceAll('{query}', '');
  const template = /\{[^{}]*\}/.exec(rest)?.[0];
  if (template !== undefined) return fault(`has "${template}", expected "{path}" or "{query}" alone`);
  if (/[^!-~]|[{}\\]/.test(rest)) return fault('has a character that must be percent-encoded');
  const isPath = /^\/(?![/\\{])/.test(text);
  const isUrl = /^https?:\/\/[^/?#{}@\\]+(?:[/?#{]|$)/.test(text) && URL.canParse(rest);
  if (isPath || isUrl) return read(text);
  const host = /^[\w.-]+\.[a-z]{2,}/i.test(text);
  return fault(
    'is not a URL or a path',
    host ? `write "https://${text}"` : 'write a URL such as "https://new.example.com{path}{query}"',
  );
}

function readRespond(input: NonNullable<RouteInput['respond']>, path: Path, context: Context): SimpleAction {
  if (typeof input === 'number') return { kind: 'respond', status: input, body: '', headers: {} };
  if (typeof input === 'string') return { kind: 'respond', status: 200, body: input, headers: {} };
  const status = input.status ?? 200;
  const body = input.body ?? '';
  if (body !== '' && (status === 204 || status === 205 || status === 304)) {
    context.report([...path, 'body'], `is given, but status ${status} has no body`, 'remove "body"');
  }
  return { kind: 'respond', status, body, headers: readFixedHeaders(input.headers, [...path, 'headers'], context) };
}
