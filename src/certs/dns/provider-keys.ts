/**
 * The keys that a type of provider has in the document. One description serves the schema, the reference,
 * the checks, the masking in `config show`, and the type of the settings that the provider is made with.
 */
export interface KeyFacts<T> {
  readonly kind: 'text' | 'url' | 'words' | 'list' | 'map' | 'duration';
  readonly isRequired: boolean;
  /** Never shown, not even where it was written plainly. */
  readonly isSecret: boolean;
  readonly description: string;
  readonly example?: string | readonly string[] | Readonly<Record<string, string>>;
  /** As it would be written. */
  readonly default?: string;
  readonly words?: readonly string[];
  /** Null for a good value; else completes `"x" …`, such as "is not base64". */
  readonly check?: (value: string) => string | null;
  /** Only for the type. */
  readonly value?: T;
}

export type Keys = Readonly<Record<string, KeyFacts<unknown>>>;
export type SettingValue = string | readonly string[] | Readonly<Record<string, string>> | number | undefined;
export type SettingsOf<K extends Keys> = { readonly [P in keyof K]: K[P] extends KeyFacts<infer T> ? T : never };

type More = Partial<Pick<KeyFacts<unknown>, 'example' | 'check'>>;

/** A credential. */
export function secret(description: string, more: More = {}): KeyFacts<string> {
  return { kind: 'text', isRequired: true, isSecret: true, description, ...more };
}

export function optionalSecret(description: string, more: More = {}): KeyFacts<string | undefined> {
  return { kind: 'text', isRequired: false, isSecret: true, description, ...more };
}

export function text(description: string, more: More = {}): KeyFacts<string> {
  return { kind: 'text', isRequired: true, isSecret: false, description, ...more };
}

export function optionalText(description: string, more: More = {}): KeyFacts<string | undefined> {
  return { kind: 'text', isRequired: false, isSecret: false, description, ...more };
}

/** "http:" is for addresses of one's own network. */
export function url(description: string, more: More = {}): KeyFacts<string> {
  return { kind: 'url', isRequired: true, isSecret: false, description, ...more };
}

export function word<T extends string>(description: string, words: readonly T[], fallback: T): KeyFacts<T> {
  return { kind: 'words', isRequired: false, isSecret: false, description, words, default: fallback };
}

export function list(description: string, more: More = {}): KeyFacts<readonly string[]> {
  return { kind: 'list', isRequired: true, isSecret: false, description, ...more };
}

export function optionalList(description: string, more: More = {}): KeyFacts<readonly string[] | undefined> {
  return { kind: 'list', isRequired: false, isSecret: false, description, ...more };
}

/** Values are secrets: a map of environment variables holds tokens. */
export function secretMap(
  description: string,
  more: More = {},
): KeyFacts<Readonly<Record<string, string>> | undefined> {
  return { kind: 'map', isRequired: false, isSecret: true, description, ...more };
}

/** Milliseconds. */
export function duration(description: string, fallback: string): KeyFacts<number> {
  return { kind: 'duration', isRequired: false, isSecret: false, description, default: fallback };
}

export function optionalDuration(description: string): KeyFacts<number | undefined> {
  return { kind: 'duration', isRequired: false, isSecret: false, description };
}
