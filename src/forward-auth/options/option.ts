/**
 * What one option of oauth2-proxy is: its names, its type, and what becomes of it here. The tables beside
 * this file hold all 168; flags, variables, keys of the file, help and documentation are read from them.
 */
import type { ProviderKind } from '../settings.ts';

export type OptionType = 'string' | 'bool' | 'int' | 'duration' | 'list';
/** Durations are milliseconds. */
export type OptionValue = string | boolean | number | readonly string[];

export type Handling =
  | { readonly kind: 'honoured'; readonly note: string | null }
  /** Accepted, so that settings need no edit, and told at start. */
  | { readonly kind: 'without-effect'; readonly why: string }
  | { readonly kind: 'refused'; readonly instead: string };

export interface Option {
  /** Without dashes. */
  readonly flag: string;
  /** In the TOML file. */
  readonly key: string;
  readonly env: string;
  readonly type: OptionType;
  readonly default: OptionValue;
  readonly group: OptionGroup;
  readonly help: string;
  readonly handling: Handling;
  readonly isSecret: boolean;
  /** The original's flag takes a word though the option is a boolean: `--flag` alone is refused. */
  readonly flagNeedsValue: boolean;
  /** Only these providers look at it; null: every one. */
  readonly providers: readonly ProviderKind[] | null;
  /** Restricts who may enter: given to a provider that does not look at it, it would restrict nobody. */
  readonly isRestriction: boolean;
}

export const OPTION_GROUPS = {
  server: 'Listening and TLS',
  proxies: 'Front proxies and addresses',
  people: 'Who may enter',
  skip: 'Requests that need no sign-in',
  provider: 'The provider',
  oidc: 'OpenID Connect',
  cookie: 'Cookies',
  session: 'Sessions',
  headers: 'Headers about the person',
  upstream: 'The application, where Postern is the proxy',
  pages: 'Pages',
  logging: 'Logs and metrics',
} as const;
export type OptionGroup = keyof typeof OPTION_GROUPS;

/** A row of a table: what is not said is the usual. */
export interface OptionRow {
  readonly flag: string;
  /** Where it is not the flag with "_" for "-": most lists are plural. */
  readonly key?: string;
  readonly type?: OptionType;
  readonly default?: OptionValue;
  readonly help: string;
  readonly note?: string;
  readonly withoutEffect?: string;
  readonly refused?: string;
  readonly isSecret?: true;
  readonly flagNeedsValue?: true;
  readonly providers?: readonly ProviderKind[];
  readonly isRestriction?: true;
}

const EMPTY: Readonly<Record<OptionType, OptionValue>> = { string: '', bool: false, int: 0, duration: 0, list: [] };
export const ENV_PREFIX = 'OAUTH2_PROXY_';

export function toOptions(group: OptionGroup, rows: readonly OptionRow[]): readonly Option[] {
  return rows.map((row) => {
    const type = row.type ?? 'string';
    const key = row.key ?? row.flag.replaceAll('-', '_');
    return {
      flag: row.flag,
      key,
      env: `${ENV_PREFIX}${key.toUpperCase()}`,
      type,
      default: row.default ?? EMPTY[type],
      group,
      help: row.help,
      handling: handlingOf(row),
      isSecret: row.isSecret ?? false,
      flagNeedsValue: row.flagNeedsValue ?? type !== 'bool',
      providers: row.providers ?? null,
      isRestriction: row.isRestriction ?? false,
    };
  });
}

function handlingOf(row: OptionRow): Handling {
  if (row.refused !== undefined) return { kind: 'refused', instead: row.refused };
  if (row.withoutEffect !== undefined) return { kind: 'without-effect', why: row.withoutEffect };
  return { kind: 'honoured', note: row.note ?? null };
}
