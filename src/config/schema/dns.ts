/** Shape of `dns:`. Each type of provider brings its own keys, from the catalogue. */
import * as z from 'zod';
import { providerTypes } from '../../certs/dns/provider-types.ts';
import type { KeyFacts, Keys } from '../../certs/dns/provider-keys.ts';
import { type AnyProviderType, COMMON_KEYS } from '../../certs/dns/provider-type.ts';
import { duration, key, list, map, section, text, word } from './shapes.ts';

/** One entry: `type`, and what that type has. */
export type DnsProviderInput = Readonly<Record<string, unknown>>;

const A_MAP = 'a map with "type" and the keys of that type';

function shapeOf({ kind, words = [] }: KeyFacts<unknown>): z.ZodType {
  switch (kind) {
    case 'words':
      return word(...words);
    case 'list':
      return list(text('text'), 'a list of texts');
    case 'map':
      return map(text('text'), 'a map of texts');
    case 'duration':
      return duration();
    case 'url':
      return text('a URL');
    default:
      return text('text');
  }
}

function keysOf(keys: Keys): Record<string, z.ZodOptional> {
  const shapes = Object.entries(keys).map(([name, facts]) => {
    const { description, example, default: fallback } = facts;
    const more = {
      ...(fallback !== undefined && { default: fallback }),
      ...(example !== undefined && { examples: [example] }),
    };
    return [name, key(shapeOf(facts), description, more)] as const;
  });
  return Object.fromEntries(shapes);
}

function entryOf({ type, title, keys }: AnyProviderType): z.ZodObject {
  const kind = z.literal(type).meta({ description: title });
  return section({ type: kind, ...keysOf(keys), ...keysOf(COMMON_KEYS) }, A_MAP);
}

function anyEntry(): z.ZodType<DnsProviderInput> {
  const all = providerTypes();
  const types = all.map(({ type }) => `"${type}"`).join(', ');
  const [first, ...others] = all.map(entryOf) as [z.ZodObject<{ type: z.ZodLiteral<string> }>];
  const error = (issue: { readonly code: string }): string =>
    issue.code === 'invalid_union' ? `a type of DNS provider: ${types}` : A_MAP;
  return z.discriminatedUnion('type', [first, ...others], { error });
}

/** Made by the first document that has the section. */
export const dnsShape: z.ZodType<Readonly<Record<string, DnsProviderInput>>> = map(
  z.lazy(anyEntry),
  'a map of DNS providers',
);
