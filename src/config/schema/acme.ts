/** Shape of `acme:`, for the whole document and, within `tls:`, for one host. */
import type * as z from 'zod';
import { flag, key, list, oneOrMore, section, text, whole, word } from './shapes.ts';

export interface EabInput {
  readonly key_id?: string | undefined;
  readonly hmac_key?: string | undefined;
}

export interface AcmeCaInput {
  readonly ca?: string | undefined;
  readonly eab?: EabInput | undefined;
  readonly profile?: string | undefined;
  readonly preferred_chain?: string | undefined;
  readonly roots?: string | undefined;
}

export type ChallengeWord = (typeof CHALLENGE_WORDS)[number];
const CHALLENGE_WORDS = ['http-01', 'tls-alpn-01', 'dns-01', 'dns-account-01', 'dns-persist-01'] as const;
export type KeyTypeWord = 'p256' | 'p384' | 'rsa2048' | 'rsa4096';

export interface HostAcmeInput extends AcmeCaInput {
  readonly key_type?: KeyTypeWord | readonly KeyTypeWord[] | undefined;
  readonly challenges?: ChallengeWord | readonly ChallengeWord[] | undefined;
  readonly dns?: string | undefined;
  readonly on_demand?: boolean | undefined;
}

export interface OnDemandInput {
  readonly ask?: string | undefined;
  readonly per_hour?: number | undefined;
}

export interface AcmeInput extends Omit<HostAcmeInput, 'on_demand'> {
  readonly on_demand?: OnDemandInput | undefined;
  readonly email?: string | undefined;
  readonly fallback?: AcmeCaInput | readonly AcmeCaInput[] | undefined;
  readonly fallback_after?: number | undefined;
  readonly certificates?: readonly (readonly string[])[] | undefined;
}

const CA = '"letsencrypt", "letsencrypt-staging", "zerossl", "google", "buypass", or the URL of a directory';

const caKeys = {
  ca: key(
    text(CA),
    'The certificate authority: `letsencrypt`, `letsencrypt-staging` (certificates for trying, which nobody trusts), `zerossl`, `google`, `buypass`, or the URL of an ACME directory, such as that of a CA of your own.',
    { default: 'letsencrypt', examples: ['zerossl', 'https://ca.internal/acme/acme/directory'] },
  ),
  eab: key(
    section(
      {
        key_id: key(text('text'), 'The key id that the CA hands out.'),
        hmac_key: key(text('text in base64url'), 'The MAC key that the CA hands out.', {
          examples: ['${ZEROSSL_HMAC_KEY}'],
        }),
      },
      'a map with "key_id" and "hmac_key"',
    ),
    'External account binding: for CAs where one has an account already (ZeroSSL, Google).',
  ),
  profile: key(
    text('the name of a profile'),
    "A profile that the CA offers, such as `shortlived` (six days) at Let's Encrypt. For hosts that are IP addresses `shortlived` is taken by itself.",
    { examples: ['shortlived'] },
  ),
  preferred_chain: key(
    text('the common name of an issuer'),
    'Where the CA offers several chains: the one with an issuer whose common name holds this.',
    { examples: ['ISRG Root X1'] },
  ),
  roots: key(text('the path of a file'), 'PEM file with roots to trust besides the usual ones, for a CA of your own.', {
    examples: ['/etc/ssl/own-ca.pem'],
  }),
};

const policyKeys = {
  ...caKeys,
  key_type: key(
    oneOrMore(
      word('p256', 'p384', 'rsa2048', 'rsa4096'),
      '"p256", "p384", "rsa2048" or "rsa4096", or a list of an ECDSA and an RSA kind',
    ),
    'Kind of the private keys: ECDSA (`p256`, `p384`) or RSA. A list of one of each orders two certificates for the same names: clients that cannot verify ECDSA get the RSA one.',
    { default: 'p256', examples: [['p256', 'rsa2048']] },
  ),
  challenges: key(
    oneOrMore(word(...CHALLENGE_WORDS), 'a challenge or a list of them'),
    'How the CA may be convinced, best first. Without it: `dns-01` where there is a DNS provider, `http-01` where `listen.http` is there, `tls-alpn-01`; one that fails gives way to the next. Wildcards are proved by DNS only. `dns-account-01` has a record of its own for each account; `dns-persist-01` needs no DNS provider but a record that you set once and that stays: the first try tells which.',
    { examples: [['tls-alpn-01']] },
  ),
  dns: key(
    text('the name of a DNS provider under "dns"'),
    'Which entry of `dns` sets the records for `dns-01`. Without it: the only one there is.',
    { examples: ['cloudflare'] },
  ),
};

const onDemandShape: z.ZodType<OnDemandInput> = section(
  {
    ask: key(
      text('a URL'),
      'A program of yours that is asked `GET URL?domain=NAME` about names which the document does not list one by one: 2xx is yes, everything else no.',
      { examples: ['http://127.0.0.1:9123/may-have-a-certificate'] },
    ),
    per_hour: key(whole(1, 10_000), 'Most names in an hour.', { default: 20 }),
  },
  'a map with "ask"',
);

export const hostAcmeShape: z.ZodType<HostAcmeInput> = section(
  {
    ...policyKeys,
    on_demand: key(
      flag(),
      'The certificate is ordered when somebody first visits, who waits for it. For a wildcard and for `default` each name gets one of its own, if `acme.on_demand.ask` says yes.',
      { default: false },
    ),
  },
  'a map with "ca", "profile" or "challenges"',
);

export const acmeShape: z.ZodType<AcmeInput> = section(
  {
    email: key(text('an e-mail address'), 'Where the CA may write to about the account.', {
      examples: ['ops@example.com'],
    }),
    ...policyKeys,
    on_demand: key(onDemandShape, 'For hosts whose `tls.acme` says `on_demand`.'),
    fallback: key(
      oneOrMore(section(caKeys, 'a map with "ca"'), 'a map with "ca", or a list of them'),
      'CAs that are tried in turn while the first one fails.',
      { examples: [{ ca: 'zerossl', eab: { key_id: 'abc', hmac_key: '${ZEROSSL_HMAC_KEY}' } }] },
    ),
    fallback_after: key(whole(1, 100), 'So many failures in a row lead to the next CA.', { default: 3 }),
    certificates: key(
      list(list(text('a host name'), 'a list of host names'), 'a list of lists of host names'),
      'Names that are to stand in one certificate together. Hosts that it covers get none of their own.',
      { examples: [[['example.com', '*.example.com']]] },
    ),
  },
  'a map with "email" and "ca"',
);
