/**
 * Reads `OAUTH2_PROXY_*` variables. An empty one counts as not given, as in the original. One that is not
 * known is told, and refused where it looks like a rule about who may enter: the original ignores both.
 */
import { suggest } from '../../config/did-you-mean.ts';
import { quote } from './finding.ts';
import { ENV_PREFIX } from './option.ts';
import { OPTIONS, optionByEnv, optionByFlag } from './option-table.ts';
import { readText } from './read-text.ts';
import type { Findings } from './finding.ts';
import type { Given, GivenOptions } from './given.ts';
import type { Option } from './option.ts';

/** What Kubernetes sets for a service that is called oauth2-proxy. */
const SERVICE_LINK =
  /_(?:SERVICE_(?:HOST|PORT(?:_[A-Z0-9_]+)?)|PORT(?:_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)?)$/;

export interface Environment {
  readonly variables: ReadonlyMap<string, string>;
  /** Names that came from the env file, and its name. */
  readonly envFile: { readonly file: string; readonly names: ReadonlySet<string> } | null;
}

export function readEnv(environment: Environment, findings: Findings): GivenOptions {
  const options = new Map<string, Given>();
  for (const [name, text] of environment.variables) {
    if (!name.startsWith(ENV_PREFIX) || text === '') continue;
    const source = environment.envFile?.names.has(name) === true ? `${name} (${environment.envFile.file})` : name;
    const option = optionByEnv(name);
    if (option === null) unknownVariable(name, source, findings);
    else setOption({ option, source, text, options, findings });
  }
  return options;
}

function setOption(step: {
  readonly option: Option;
  readonly source: string;
  readonly text: string;
  readonly options: Map<string, Given>;
  readonly findings: Findings;
}): void {
  const { option, source, text, options, findings } = step;
  const read = readText(option, text);
  if (read.ok) {
    options.set(option.key, { value: read.value, source });
    warnOfText({ option, source, text }, findings);
  } else findings.add({ severity: 'error', option: option.key, source, message: read.wrong, remedy: read.remedy });
}

/** Quotes around a whole value, none within. */
export const QUOTED: RegExp = /^(["'])(?:(?!\1).)*\1$/s;

/** Quotes and spaces that a shell, or whoever wrote the file, was expected to take away. */
export function warnOfText(
  { option, source, text }: { readonly option: Option; readonly source: string; readonly text: string },
  findings: Findings,
): void {
  const items = option.type === 'list' ? text.split(',') : [text];
  if (option.type !== 'string' && option.type !== 'list') return;
  for (const item of items) {
    if (QUOTED.test(item.trim())) {
      const message = `has quotes around ${quote(item, option.isSecret)} that are taken as part of it`;
      findings.add({ severity: 'error', option: option.key, source, message, remedy: 'take them out' });
    } else if (option.type === 'list' && item !== item.trim()) {
      const message = `has a space around ${quote(item, option.isSecret)} that is taken as part of it`;
      const remedy = 'write the items with commas alone between them';
      findings.add({ severity: 'warning', option: option.key, source, message, remedy });
    }
  }
}

function unknownVariable(name: string, source: string, findings: Findings): void {
  if (SERVICE_LINK.test(name)) return;
  // A flag's singular is the usual slip: OAUTH2_PROXY_ALLOWED_GROUP.
  const bySlip = optionByFlag(name.slice(ENV_PREFIX.length).toLowerCase().replaceAll('_', '-'));
  const near = bySlip?.env ?? nearest(name);
  const isRule = near !== null && optionByEnv(near)?.isRestriction === true;
  findings.add({
    severity: isRule ? 'error' : 'warning',
    option: name,
    source,
    message: isRule ? 'is no variable that is known, and looks like a rule about who may enter' : 'has no effect',
    remedy: near === null ? 'take it out' : `did you mean ${near}?`,
  });
}

function nearest(name: string): string | null {
  const near = suggest(
    name.slice(ENV_PREFIX.length),
    OPTIONS.map(({ key }) => key),
  );
  return near === null ? null : `${ENV_PREFIX}${near.toUpperCase()}`;
}
