/** Settings of a text, for tests. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadSettings } from './load-settings.ts';
import type { Loaded } from './load-settings.ts';
import type { Settings } from '../settings.ts';

/** What every configuration needs. */
export const ENOUGH: readonly string[] = [
  '--provider=github',
  '--client-id=id',
  '--client-secret=secret',
  '--cookie-secret=0123456789abcdef',
  '--email-domain=*',
];

export interface Said {
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly toml?: string;
  readonly alpha?: string;
  readonly envFile?: string;
}

/** Files are written to a folder that is gone afterwards; secrets of files were read by then. */
export function load({ args = [], env = {}, toml, alpha, envFile }: Said): Loaded {
  const folder = mkdtempSync(join(tmpdir(), 'postern-options-'));
  const file = (name: string, text: string | undefined): readonly string[] => {
    if (text === undefined) return [];
    writeFileSync(join(folder, name), text);
    return [join(folder, name)];
  };
  try {
    const all = [
      ...args,
      ...file('a.cfg', toml).map((path) => `--config=${path}`),
      ...file('a.yaml', alpha).map((path) => `--alpha-config=${path}`),
      ...file('a.env', envFile).map((path) => `--env-file=${path}`),
    ];
    const loaded = loadSettings({ args: all, env, now: () => 0 });
    const bare = (text: string): string => text.replaceAll(`${folder}/`, '');
    const findings = loaded.findings.map((one) => ({ ...one, source: bare(one.source), message: bare(one.message) }));
    return { ...loaded, findings };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** `severity source: option message; remedy` */
export function lines({ findings }: Loaded): readonly string[] {
  return findings.map(({ severity, source, option, message, remedy }) => {
    const end = remedy === null ? '' : `; ${remedy}`;
    return `${severity} ${source}: ${option} ${message}${end}`;
  });
}

export function errors(loaded: Loaded): readonly string[] {
  return lines({ ...loaded, findings: loaded.findings.filter(({ severity }) => severity === 'error') });
}

export function good(said: Said): Settings {
  const loaded = load({ ...said, args: [...ENOUGH, ...(said.args ?? [])] });
  if (loaded.settings === null) throw new Error(`Cannot use the settings: ${errors(loaded).join('\n')}`);
  return loaded.settings;
}
