/**
 * Machines that people could pass for in an app: one that knows everybody by the same field cannot tell who came with the
 * token "ci" from somebody who is called "ci" at their provider. Told only of providers where people choose their names;
 * where an administrator gives them out, it is his to know.
 */
import { PROVIDER_PRESETS } from '../config/presets/providers.ts';
import type { Provider } from '../config/document/providers.ts';
import type { Route } from '../config/document/hosts.ts';
import type { RuleText } from '../config/document/rules.ts';

/** GitHub: letters, digits and single hyphens. */
const LOGIN = /^[a-z\d](?:-?[a-z\d]){0,38}$/;
const MACHINE = /^(?:token|service):(.+)$/s;
/** Whom the operator has written out is no stranger. */
const LISTED = /^(?:[^:]+:)?(?:user|email):/;
const OTHERS = /^(?:public$|link(?::|$)|ip:|country:|client-certificate:)/;
/** By any of these an app can tell a machine. */
const TELLING: ReadonlySet<string> = new Set(['subject', 'provider', 'assertion']);

/** As rules write them: "token:ci". `provider`: whose people alone the app knows by their plain names. */
export function mistakableMachines(
  route: Pick<Route, 'allow' | 'identityHeaders'>,
  provider: Provider,
): readonly string[] {
  const { fields } = route.identityHeaders;
  if (!fields.some(({ value }) => value === 'user') || fields.some(({ value }) => TELLING.has(value))) return [];
  const rules = route.allow.map(({ rule }) => principalsOf(rule));
  if (!rules.some(isForMany) || !choosesNames(provider)) return [];
  return [
    ...new Set(rules.flat().filter((text) => isMachine(text) && isNameAt(provider, MACHINE.exec(text)?.[1] ?? ''))),
  ];
}

/** GitHub knows no "_". */
export function withoutLogin(name: string): string {
  return name.includes('-') ? name.replaceAll('-', '_') : `${name}_bot`;
}

function isForMany(all: readonly string[]): boolean {
  return all.some((text) => !OTHERS.test(text)) && !all.some((text) => isMachine(text) || LISTED.test(text));
}

function principalsOf(rule: RuleText): readonly string[] {
  if (typeof rule === 'string') return [rule];
  return 'all' in rule ? rule.all.flatMap(principalsOf) : ['when'];
}

function isMachine(text: string): boolean {
  return MACHINE.test(text);
}

function choosesNames(provider: Provider): boolean {
  if (provider.type === 'github') return true;
  return provider.type === 'oidc' && PROVIDER_PRESETS[provider.preset]?.pinsNames === true;
}

function isNameAt({ type }: Provider, name: string): boolean {
  return type !== 'github' || LOGIN.test(name);
}
