/** All 168 options of oauth2-proxy 7.15.3, and the ways to look one up. */
import { FRONT_OPTIONS } from './table-front.ts';
import { PROVIDER_OPTIONS } from './table-provider.ts';
import { SESSION_OPTIONS } from './table-session.ts';
import type { Option } from './option.ts';

export const OPTIONS: readonly Option[] = [...FRONT_OPTIONS, ...PROVIDER_OPTIONS, ...SESSION_OPTIONS];

const BY_KEY: ReadonlyMap<string, Option> = new Map(OPTIONS.map((option) => [option.key, option]));
const BY_ENV: ReadonlyMap<string, Option> = new Map(OPTIONS.map((option) => [option.env, option]));
/** The newer key of the two that `--google-group` sets comes first. */
const BY_FLAG: ReadonlyMap<string, Option> = new Map(OPTIONS.toReversed().map((option) => [option.flag, option]));

export function optionByKey(key: string): Option | null {
  return BY_KEY.get(key) ?? null;
}

export function optionByEnv(name: string): Option | null {
  return BY_ENV.get(name) ?? null;
}

export function optionByFlag(flag: string): Option | null {
  return BY_FLAG.get(flag) ?? null;
}

export function optionOf(key: string): Option {
  const option = BY_KEY.get(key);
  if (option === undefined) throw new TypeError(`Cannot find the option "${key}" in the table`);
  return option;
}
