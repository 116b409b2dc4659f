/** Prints what a route does: the app that it leads to, or what it answers itself. */
import { assertNever } from '../../core/assert-never.ts';
import { formatDuration } from '../../core/durations.ts';
import { shownCount, shownRules, type Shown } from './words.ts';
import type { Action, Choice, ProxyAction, UpstreamServer } from '../document/actions.ts';

export function shownAction(action: Action): { readonly [key: string]: Shown | undefined } {
  switch (action.kind) {
    case 'proxy':
      return shownProxy(action);
    case 'files':
      return { to: `files:${action.root}` };
    case 'whoami':
      return { to: 'app:whoami' };
    case 'redirect':
      return { redirect: { to: action.to, status: action.status } };
    case 'choose':
      return {
        routes: action.choices.map(({ when, action: chosen }) => ({
          when: when === null ? undefined : shownRules(when),
          ...shownChoice(chosen),
        })),
        ...settingsOfChoices(action.choices),
      };
    case 'respond':
      return { respond: { status: action.status, body: action.body, headers: action.headers } };
    default:
      return assertNever(action);
  }
}

function shownProxy(action: ProxyAction): { readonly [key: string]: Shown | undefined } {
  const { tls, health } = action;
  return {
    to: action.servers.map((server) => ({ url: serverUrl(server), weight: server.weight })),
    balance: action.balance,
    host_header: typeof action.hostHeader === 'string' ? action.hostHeader : action.hostHeader.fixed,
    upstream_tls: {
      verify: tls.verify,
      ca: tls.caFile ?? undefined,
      server_name: tls.serverName ?? undefined,
      certificate: tls.certificatePem === null ? undefined : '(certificate)',
      key: tls.keyPem === null ? undefined : '(private key)',
    },
    health:
      health === null
        ? 'off'
        : {
            path: health.path,
            interval: formatDuration(health.intervalMs),
            timeout: formatDuration(health.timeoutMs),
            expect: `${health.expect[0]}-${health.expect[1]}`,
            passes: health.passes,
            fails: health.fails,
          },
    max_fails: action.maxFails,
    fail_timeout: formatDuration(action.failMs),
    max_connections: shownCount(action.maxConnections),
  };
}

/** What stands beside `routes` and holds for each of them is shown there. */
function shownChoice(action: Choice['action']): { readonly [key: string]: Shown | undefined } {
  if (action.kind !== 'proxy') return shownAction(action);
  return { to: shownProxy(action)['to'] };
}

function settingsOfChoices(choices: readonly Choice[]): { readonly [key: string]: Shown | undefined } {
  const proxied = choices.find(({ action }) => action.kind === 'proxy')?.action;
  return proxied?.kind === 'proxy' ? { ...shownProxy(proxied), to: undefined } : {};
}

function serverUrl({ scheme, host, port }: UpstreamServer): string {
  return scheme === 'unix' ? `unix:${host}` : `${scheme}://${host}:${port}`;
}
