/**
 * Templates: `{user.name}` and the like. The names are a closed list of values that an administrator
 * assigned or mapped; anything else in braces is refused where it could reach an address.
 */
import { suggest } from './did-you-mean.ts';
import { type Fault, fault } from './reading.ts';

/** Values that may become part of an app's address, where each is judged again when it is filled in. */
export const ADDRESS_TEMPLATES: readonly string[] = ['user.name', 'user.provider', 'service.name', 'token.name'];
/** Values that header fields may hold besides. */
export const HEADER_TEMPLATES: readonly string[] = [...ADDRESS_TEMPLATES, 'client.ip', 'request.id'];
/** Of `maps`. Capitals are for header fields, such as a role that an app spells "Admin"; no address takes them. */
export const MAP_VALUE: RegExp = /^[A-Za-z0-9_-]{1,64}$/;
export const MAP_NAME: RegExp = /^[a-z][a-z0-9_-]{0,31}$/;

const BRACES = /\{([^{}]*)\}/g;

export interface TemplateRules {
  readonly known: readonly string[];
  readonly maps: ReadonlySet<string>;
}

export function hasTemplate(text: string): boolean {
  return text.includes('{');
}

/** Null where every brace belongs to a known template. */
export function templateFault(text: string, rules: TemplateRules): Fault | null {
  for (const [whole, name = ''] of text.matchAll(BRACES)) {
    const wrong = nameFault(whole, name, rules);
    if (wrong !== null) return wrong;
  }
  const rest = text.replaceAll(BRACES, '');
  return /[{}]/.test(rest) ? fault('has a brace without its partner', 'write a template such as "{user.name}"') : null;
}

/** In header values braces are common (JSON), so only what looks like a template must be one. */
export function headerTemplateFault(text: string, rules: TemplateRules): Fault | null {
  for (const [whole, name = ''] of text.matchAll(BRACES)) {
    if (!/^[a-z_]+\.[\w.-]*$/i.test(name)) continue;
    const wrong = nameFault(whole, name, rules);
    if (wrong !== null) return wrong;
  }
  return null;
}

function nameFault(whole: string, name: string, rules: TemplateRules): Fault | null {
  if (rules.known.includes(name)) return null;
  const map = name.startsWith('map.') ? name.slice(4) : null;
  if (map !== null && rules.maps.has(map)) return null;
  const all = [...rules.known, ...[...rules.maps].map((one) => `map.${one}`)];
  const close = suggest(name, all);
  const known = all.map((one) => `"{${one}}"`).join(', ');
  const remedy = close === null ? `write one of ${known}` : `did you mean "{${close}}"?`;
  if (map !== null)
    return fault(
      `has "${whole}", but "maps:" has no "${map}"`,
      close === null ? `add "${map}:" under "maps:"` : remedy,
    );
  return fault(`has "${whole}", which is no template`, remedy);
}
