/**
 * Who is refused, or has no app, although their provider said nothing of what was looked at: what the page then says
 * besides. Asked only when there is such a page to be made.
 */
import type { Unsaid } from '../core/person.ts';
import { lacksOf } from '../policy/unsaid.ts';
import { unsaidClaims, type UnsaidClaims, type UnsaidFacts } from '../sign-in/pages/unsaid.ts';
import type { CompiledRoute } from '../route/table.ts';
import { factsOf } from './place.ts';
import type { RequestContext } from './request-context.ts';

/** Of the rules of the route. */
export function unsaidByRules(context: RequestContext): UnsaidClaims | null {
  const { judged } = context;
  return judged?.decision.kind === 'deny' ? claimsFor(context, judged.decision) : null;
}

/** Of what chooses the app: `when` of its choices, a map, a name in its address. */
export function unsaidByPlace(context: RequestContext): UnsaidClaims | null {
  const { judged, route, site } = context;
  if (judged?.identity.kind !== 'person' || route === null) return null;
  const facts = factsOf(context, judged.identity);
  const chosen = route.choices.find((choice) => choice.matches(facts))?.route;
  // Where a choice was made it is about that one's address, else about the choices.
  const asked =
    route.choices.length > 0 && chosen === undefined
      ? route.choices.map((choice) => choice.unsaid(facts))
      : [unsaidByAddress(chosen ?? route, Object.values(site.document.maps), judged.identity.person)];
  return claimsFor(context, {
    unsaid: [...new Set(asked.flatMap(({ unsaid = [] }) => unsaid))],
    withheld: [...new Set(asked.flatMap(({ withheld = [] }) => withheld))],
  });
}

const KINDS: Partial<Record<Unsaid, readonly string[]>> = {
  name: ['user'],
  groups: ['group'],
  roles: ['role'],
  organisations: ['org', 'team'],
};

function unsaidByAddress(
  { servers }: CompiledRoute,
  maps: readonly Readonly<Record<string, string>>[],
  person: Parameters<typeof lacksOf>[0],
): UnsaidFacts {
  const text = servers.map(({ config }) => (config.isTemplate ? `${config.host}:${config.port}` : '')).join(' ');
  const keys = text.includes('{map.') ? maps.flatMap((map) => Object.keys(map)) : [];
  const isAsked = (what: Unsaid, name: string | undefined): boolean =>
    (what === 'name' && text.includes('{user.name}')) ||
    (KINDS[what] ?? []).some((kind) =>
      keys.some((key) => {
        const head = `${person.provider}:${kind}:`;
        return key.startsWith(head) && (name === undefined || key.slice(head.length).split('/', 1)[0] === name);
      }),
    );
  const lacks = lacksOf(person).filter(({ what, name }) => isAsked(what, name));
  return { unsaid: lacks.map(({ what }) => what), withheld: lacks.flatMap(({ name }) => name ?? []) };
}

function claimsFor({ judged, site }: RequestContext, facts: UnsaidFacts): UnsaidClaims | null {
  if (judged?.identity.kind !== 'person') return null;
  return unsaidClaims(site.document.providers, judged.identity.person, facts);
}
