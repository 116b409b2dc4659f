/** Shape of `identity_headers` and `assertion_audience`. */
import type * as z from 'zod';
import { IDENTITY_PRESETS } from '../presets/identity-headers.ts';
import { either, key, oneOrMore, section, type ShapeOf, text, word } from './shapes.ts';

/** In the order in which they are sent. */
export const IDENTITY_VALUES = [
  'user',
  'preferred_username',
  'name',
  'email',
  'groups',
  'roles',
  'subject',
  'provider',
  'assertion',
] as const;

/** Tokens of the person's provider. */
export const TOKEN_KINDS = ['access_token', 'id_token'] as const;

type Names = Readonly<
  Partial<
    Record<(typeof IDENTITY_VALUES)[number] | (typeof TOKEN_KINDS)[number], string | readonly string[] | undefined>
  >
>;

export interface IdentityNamesInput extends Names {
  readonly groups_encoding?: 'comma' | 'json' | 'repeated' | undefined;
}

export type IdentityHeadersInput = string | IdentityNamesInput | readonly (string | IdentityNamesInput)[];

export interface IdentityKeysInput {
  readonly identity_headers?: IdentityHeadersInput | undefined;
  readonly assertion_audience?: string | undefined;
}

const NAME = 'a header name such as "X-WEBAUTH-USER"';

function name(description: string): z.ZodOptional<z.ZodType<string | readonly string[]>> {
  return key(oneOrMore(text(NAME), 'a list of header names'), description);
}

const namesShape: z.ZodType<IdentityNamesInput> = section(
  {
    user: name("The person's or machine's name."),
    preferred_username: name("The person's login name; none for a machine."),
    name: name("The person's full name."),
    email: name('The e-mail address, if it is verified.'),
    groups: name('The groups.'),
    roles: name('The roles.'),
    subject: name("`PROVIDER:SUBJECT`: the provider's lasting id of the person."),
    provider: name('Id of the provider.'),
    assertion: name('The signed assertion, a JWT.'),
    access_token: name(
      "The access token of the person's provider, renewed before it is too old; behind `Bearer ` where the name is `Authorization`. Not under `defaults`.",
    ),
    id_token: name("The ID token of the person's provider, likewise."),
    groups_encoding: key(
      word('comma', 'json', 'repeated'),
      'How several groups or roles are written: `comma`, `json`, or `repeated`: a field for each. But for `json`, one that holds a comma is left out.',
      { default: 'comma' },
    ),
  },
  'a map of values to header names',
);

const PRESETS = Object.entries(IDENTITY_PRESETS)
  .map(([preset, { about }]) => `\`${preset}\` (${about})`)
  .join('; ');

export const identityKeys: ShapeOf<IdentityKeysInput> = {
  identity_headers: key(
    oneOrMore(either(text('a preset such as "remote"'), namesShape, 'a preset, or a map of values to names'), 'a list'),
    `What the app learns about who comes: presets, header names of your own, or a list of both. ${PRESETS}; \`none\`. Clients cannot send any of these, in any spelling.`,
    {
      default: 'forwarded',
      examples: ['remote', ['forwarded', 'assertion'], { user: 'X-WEBAUTH-USER', groups: 'X-WEBAUTH-GROUPS' }],
    },
  ),
  assertion_audience: key(
    text('text such as "https://app.example.com"'),
    "`aud` of the signed assertion. Without it: the host's origin, such as `https://app.example.com`.",
  ),
};
