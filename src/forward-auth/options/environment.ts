/** The variables of the process, and those of `--env-file`, which win: the file alone can change while the process runs. */
import { mergeEnvironment, parseEnvFile } from '../../config/env-file.ts';
import { readAtMost } from '../../core/read-at-most.ts';
import { unreadable } from './build-secret.ts';
import { quote } from './finding.ts';
import type { Findings } from './finding.ts';
import type { Environment } from './read-env.ts';
import type { TextFile } from './read-toml.ts';

/** `name`: of the file; null: there is none. */
export function readEnvironment(
  env: Readonly<Record<string, string | undefined>>,
  name: string | null,
  findings: Findings,
): Environment {
  const file = name === null ? null : readTextFile(name, '--env-file', findings);
  if (file === null) return { variables: mergeEnvironment(env, new Map()), envFile: null };
  const { variables, problems } = parseEnvFile(file.text);
  for (const { line, message, remedy } of problems) {
    const text = `cannot be read: ${message}`;
    findings.add({ severity: 'error', option: 'the file', source: `${file.name}:${line}`, message: text, remedy });
  }
  return {
    variables: mergeEnvironment(env, variables),
    envFile: { file: file.name, names: new Set(variables.keys()) },
  };
}

/** Null, and a finding, where it cannot be read. `source`: the flag that named it. */
export function readTextFile(name: string, source: string, findings: Findings): TextFile | null {
  try {
    return { name, text: readAtMost(name).toString('utf8') };
  } catch (error) {
    const message = `is ${quote(name)}, which ${unreadable(error)}`;
    findings.add({ severity: 'error', option: source.slice(2), source, message, remedy: 'check the path' });
    return null;
  }
}
