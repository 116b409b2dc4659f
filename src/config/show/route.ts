/** Prints a route: whom it lets in, what it changes, and its limits. */
import { formatDuration } from '../../core/durations.ts';
import { formatSize } from '../../core/sizes.ts';
import { shownAction } from './action.ts';
import { shownRules, type Shown } from './words.ts';
import type { HeaderEdits, Route } from '../document/hosts.ts';
import type { IdentityHeaders } from '../document/identity-headers.ts';
import type { RouteLimits } from '../document/limits.ts';
import type { ShadowRules, StepUp } from '../document/rules.ts';

export function shownRoute(route: Route): Shown {
  return {
    methods: route.methods.length === 0 ? undefined : route.methods,
    headers:
      Object.keys(route.matchHeaders).length === 0
        ? undefined
        : Object.fromEntries(Object.entries(route.matchHeaders).map(([name, value]) => [name, value ?? true])),
    allow: shownRules(route.allow),
    deny: route.deny.length === 0 ? undefined : shownRules(route.deny),
    shadow: shownShadow(route.shadow),
    require: shownRequire(route.require),
    ...shownAction(route.action),
    strip_prefix: route.stripPrefix ?? undefined,
    rewrite: route.rewrite ?? undefined,
    ...shownEdits(route.requestHeaders),
    response: shownEdits(route.responseHeaders),
    ...shownIdentityHeaders(route.identityHeaders),
    encoded_slash: route.encodedSlash,
    origins: route.origins,
    upgrades: route.upgrades.length === 0 ? false : route.upgrades,
    limits: shownLimits(route.limits),
  };
}

function shownIdentityHeaders(headers: IdentityHeaders): { readonly [key: string]: Shown | undefined } {
  const names: Record<string, string[]> = {};
  for (const { name, value } of headers.fields) (names[value] ??= []).push(name);
  for (const { name, token } of headers.tokens) (names[token] ??= []).push(name);
  const isNone = headers.fields.length + headers.tokens.length === 0;
  return {
    identity_headers: isNone ? 'none' : { ...names, groups_encoding: headers.groupsEncoding },
    assertion_audience: headers.audience ?? undefined,
  };
}

function shownRequire(wanted: StepUp | null): Shown | undefined {
  if (wanted === null) return undefined;
  const { secondFactor, acr, maxAgeMs } = wanted;
  if (secondFactor && acr.length === 0 && maxAgeMs === null) return 'second-factor';
  return {
    second_factor: secondFactor ? true : undefined,
    acr: acr.length === 0 ? undefined : acr,
    max_age: maxAgeMs === null ? undefined : formatDuration(maxAgeMs),
  };
}

function shownShadow(shadow: ShadowRules | null): Shown | undefined {
  if (shadow === null) return undefined;
  const { allow, deny } = shadow;
  return {
    allow: allow === null ? undefined : shownRules(allow),
    deny: deny.length === 0 ? undefined : shownRules(deny),
  };
}

function shownEdits({ add, remove }: HeaderEdits): { readonly [key: string]: Shown | undefined } {
  return {
    add_headers: Object.keys(add).length === 0 ? undefined : add,
    remove_headers: remove.length === 0 ? undefined : remove,
  };
}

function shownLimits(limits: RouteLimits): Shown {
  return {
    max_body: formatSize(limits.maxBodyBytes),
    body_timeout: formatDuration(limits.bodyIdleMs),
    min_body_rate: formatSize(limits.minBodyRate),
    write_timeout: formatDuration(limits.writeIdleMs),
    connect_timeout: formatDuration(limits.connectMs),
    first_byte_timeout: formatDuration(limits.firstByteMs),
    // Streams are exempt only while this is not written, so it is written only where it was set.
    upstream_idle_timeout:
      limits.streamIdleMs === limits.upstreamIdleMs ? formatDuration(limits.upstreamIdleMs) : undefined,
    tunnel_idle_timeout: formatDuration(limits.tunnelIdleMs),
  };
}
