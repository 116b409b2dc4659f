/**
 * Makes settings of everything that was said: flags before variables before the file, as the original
 * does. All faults are found in one go; settings come only where there is none.
 */
import { build } from './build-settings.ts';
import { STRUCTURED_KEYS } from './alpha-fields.ts';
import { readEnvironment, readTextFile } from './environment.ts';
import { createFindings, quote } from './finding.ts';
import { mergeGiven } from './given.ts';
import { legacyStructured } from './legacy.ts';
import { ENV_PREFIX } from './option.ts';
import { optionOf } from './option-table.ts';
import { readAlpha } from './read-alpha.ts';
import { readEnv } from './read-env.ts';
import { readFlags } from './read-flags.ts';
import { readToml } from './read-toml.ts';
import { createTold } from './told.ts';
import type { BuildContext } from './context.ts';
import type { Finding, Findings } from './finding.ts';
import type { GivenOptions } from './given.ts';
import type { Alpha } from './read-alpha.ts';
import type { OwnFlags } from './read-flags.ts';
import type { Settings } from '../settings.ts';

export interface SettingsSource {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

export interface Loaded {
  /** Null where a finding is an error. */
  readonly settings: Settings | null;
  readonly findings: readonly Finding[];
  readonly own: OwnFlags;
  /** What was given for each option, and by what. */
  readonly given: GivenOptions;
}

export function loadSettings({ args, env, now }: SettingsSource): Loaded {
  const findings = createFindings();
  const { own, options: flags } = readFlags(args, findings);
  const environment = readEnvironment(env, own.envFile, findings);
  const variablesGiven = readEnv(environment, findings);
  const toml = own.config === null ? null : readTextFile(own.config, '--config', findings);
  const file: GivenOptions = toml === null ? new Map() : readToml(toml, findings);
  const { variables } = environment;
  const alpha = readStructured(own.alphaConfig, variables, findings);
  const sources = [flags, variablesGiven, file];
  const given = alpha === null ? mergeGiven(sources) : mergeGiven([alpha.given, ...dropStructured(sources, findings)]);
  const told = createTold(given, findings);
  reportHandling(given, findings);
  const choices = readChoices(own, variables, findings);
  const settings = build({
    told,
    structured: alpha?.structured ?? legacyStructured(told),
    findings,
    variables,
    now,
    ...choices,
  });
  const isGood = !findings.list.some(({ severity }) => severity === 'error');
  return { settings: isGood ? settings : null, findings: findings.list, own, given };
}

function readStructured(name: string | null, variables: ReadonlyMap<string, string>, findings: Findings): Alpha | null {
  const file = name === null ? null : readTextFile(name, '--alpha-config', findings);
  return file === null ? null : readAlpha(file, variables, findings);
}

/** Beside the structured file these are no options any more: refused, or without effect as variables are. */
function dropStructured(sources: readonly GivenOptions[], findings: Findings): readonly GivenOptions[] {
  return sources.map((source) => {
    const kept = new Map(source);
    for (const [key, given] of source) {
      if (!STRUCTURED_KEYS.has(key)) continue;
      kept.delete(key);
      findings.add({
        severity: given.source.startsWith(ENV_PREFIX) ? 'warning' : 'error',
        option: key,
        source: given.source,
        message: 'has no place beside --alpha-config, which says it in its own words',
        remedy: 'take it out',
      });
    }
    return kept;
  });
}

function reportHandling(given: GivenOptions, findings: Findings): void {
  for (const [key, { value, source }] of given) {
    const { handling, default: usual } = optionOf(key);
    if (handling.kind === 'honoured' || value === usual || value === '') continue;
    const isRefused = handling.kind === 'refused';
    findings.add({
      severity: isRefused ? 'error' : 'warning',
      option: key,
      source,
      message: isRefused ? 'is not taken' : `has no effect: ${handling.why}`,
      remedy: isRefused ? handling.instead : null,
    });
  }
}

type Choices = Pick<BuildContext, 'sessionMode' | 'deniedStatus'>;

function readChoices(own: OwnFlags, variables: ReadonlyMap<string, string>, findings: Findings): Choices {
  const pick = <T extends string>(flag: string, said: string | null, allowed: readonly [T, ...T[]]): T => {
    const env = `POSTERN_${flag.toUpperCase().replaceAll('-', '_')}`;
    const text = said ?? (variables.get(env) || allowed[0]);
    const chosen = allowed.find((one) => one === text);
    if (chosen !== undefined) return chosen;
    const source = said === null ? env : `--${flag}`;
    const remedy = `write ${allowed.join(' or ')}`;
    findings.add({ severity: 'error', option: flag, source, message: `is ${quote(text)}`, remedy });
    return allowed[0];
  };
  return {
    sessionMode: pick('session-mode', own.sessionMode, ['server', 'stateless']),
    deniedStatus: pick('denied-status', own.deniedStatus, ['403', '401']) === '401' ? 401 : 403,
  };
}
