/** What the real oauth2-proxy makes of settings: its own conversion to the structured form, and its check. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadSettings } from '../../../src/forward-auth/options/load-settings.ts';
import { findPeer } from '../../support/peers.ts';
import type { Loaded } from '../../../src/forward-auth/options/load-settings.ts';
import type { Settings } from '../../../src/forward-auth/settings.ts';

export interface Said {
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly toml?: string;
}

export const CORE: readonly string[] = ['--cookie-secret=0123456789abcdef', '--email-domain=*'];
export const ENOUGH: readonly string[] = [...CORE, '--client-id=id', '--client-secret=secret'];

export interface Answer {
  readonly isGood: boolean;
  readonly output: string;
}

export function askOriginal(
  { args = [], env = {}, toml }: Said,
  what: 'config-test' | 'convert-config-to-alpha',
): Answer {
  return inFolder((folder) => {
    const all = [`--${what}`, ...args, ...configFlag(folder, toml)];
    const { status, stdout, stderr } = spawnSync(findPeer('oauth2-proxy') ?? 'oauth2-proxy', all, {
      env: { ...env },
      encoding: 'utf8',
    });
    return { isGood: status === 0, output: what === 'config-test' ? stdout + stderr : stdout };
  });
}

export function askPostern({ args = [], env = {}, toml }: Said, alpha?: string): Loaded {
  return inFolder((folder) => {
    const all = [...args, ...configFlag(folder, toml)];
    if (alpha !== undefined) {
      writeFileSync(join(folder, 'a.yaml'), alpha);
      all.push(`--alpha-config=${join(folder, 'a.yaml')}`);
    }
    return loadSettings({ args: all, env, now: () => 0 });
  });
}

function configFlag(folder: string, toml: string | undefined): readonly string[] {
  if (toml === undefined) return [];
  writeFileSync(join(folder, 'a.cfg'), toml);
  return [`--config=${join(folder, 'a.cfg')}`];
}

function inFolder<T>(work: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'postern-original-'));
  try {
    return work(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Plain data: secrets as their text, expressions as their source. */
export function plain(settings: Settings): Record<string, unknown> {
  const text = JSON.stringify(settings, (_key, value: unknown) => {
    if (typeof value !== 'object' || value === null) return value;
    if ('read' in value && typeof value.read === 'function') return `secret ${String((value.read as () => Buffer)())}`;
    if ('matches' in value && 'source' in value) return `expression ${String(value.source)}`;
    return value;
  });
  return JSON.parse(text) as Record<string, unknown>;
}
