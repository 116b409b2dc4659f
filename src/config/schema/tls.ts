/** Shape of `tls:`: what the document says about certificates, for all hosts and for one. */
import type * as z from 'zod';
import { type HostAcmeInput, hostAcmeShape } from './acme.ts';
import { duration, either, flag, key, list, numberOf, section, text, type UnitInput, word } from './shapes.ts';

export interface CertificateInput {
  readonly certificate?: string | undefined;
  readonly key?: string | undefined;
}

export interface GlobalTlsInput {
  readonly min_version?: string | number | undefined;
  readonly certificates?: readonly CertificateInput[] | undefined;
  readonly deploy_to?: readonly DeployInput[] | undefined;
  readonly hsts?: HstsInput | undefined;
}

export type HstsInput =
  | boolean
  | 'off'
  | 'automatic'
  | {
      readonly max_age?: UnitInput | undefined;
      readonly include_subdomains?: boolean | undefined;
      readonly preload?: boolean | undefined;
    };

export interface DeployInput {
  readonly name?: string | undefined;
  readonly certificate?: string | undefined;
  readonly key?: string | undefined;
  readonly key_type?: 'ecdsa' | 'rsa' | undefined;
  readonly mode?: string | number | undefined;
  readonly run?: readonly string[] | undefined;
  readonly timeout?: UnitInput | undefined;
}

export interface HostTlsObject extends CertificateInput {
  readonly mode?: TlsWord | boolean | undefined;
  readonly acme?: HostAcmeInput | undefined;
  readonly client_ca?: string | undefined;
  readonly client_certificates?: 'request' | 'require' | undefined;
}

export type TlsWord = 'automatic' | 'acme' | 'local' | 'off';
export type HostTlsInput = TlsWord | boolean | HostTlsObject;

const FILE = 'the path of a file';
const certificateKeys = {
  certificate: key(text(FILE), 'PEM file with the certificate and its chain. It is watched.', {
    examples: ['/etc/ssl/app.pem'],
  }),
  key: key(text(FILE), 'PEM file with the private key.', { examples: ['/etc/ssl/app.key'] }),
};

const deployShape: z.ZodType<DeployInput> = section(
  {
    name: key(text('a host'), 'Host whose certificate it is.', { examples: ['mail.example.com'] }),
    certificate: key(text(FILE), 'Where the chain is written, as PEM.', { examples: ['/etc/postfix/tls/mail.pem'] }),
    key: key(text(FILE), 'Where the private key is written. Without it: behind the chain, in the same file.', {
      examples: ['/etc/postfix/tls/mail.key'],
    }),
    key_type: key(
      word('ecdsa', 'rsa'),
      'Which one, where the host has two (`acme.key_type`). Without it: `ecdsa` where there is one.',
    ),
    mode: key(
      either(text('"600" or "640"'), numberOf('"600" or "640"'), '"600" or "640"'),
      'Mode of the files: `600`, or `640` so that the group may read them.',
      { default: '600' },
    ),
    run: key(
      list(text('a word of the command'), 'a list of words'),
      'Command that is run afterwards, without a shell.',
      {
        examples: [['systemctl', 'reload', 'postfix']],
      },
    ),
    timeout: key(duration(), 'Longest time that the command may take.', { default: '30s' }),
  },
  'a map with "name", "certificate" and "key"',
);

const HSTS_WANTED = '"automatic", "off", or a map with "max_age"';
export const hstsShape: z.ZodType<HstsInput> = either(
  either(word('automatic', 'off'), flag(), HSTS_WANTED),
  section(
    {
      max_age: key(duration(), 'How long browsers keep to HTTPS after each visit. `0s` makes them forget.', {
        default: '180d',
      }),
      include_subdomains: key(flag(), 'Names below the host too.', { default: false }),
      preload: key(
        flag(),
        'Allows the list that is built into browsers. Hard to undo; needs `include_subdomains` and a year.',
        { default: false },
      ),
    },
    'a map with "max_age", "include_subdomains" and "preload"',
  ),
  HSTS_WANTED,
);

export const globalTlsShape: z.ZodType<GlobalTlsInput> = section(
  {
    min_version: key(
      either(text('"1.2" or "1.3"'), numberOf('"1.2" or "1.3"'), '"1.2" or "1.3"'),
      'Oldest TLS version that is spoken: `"1.2"` or `"1.3"`.',
      { default: '1.2' },
    ),
    certificates: key(
      list(section(certificateKeys, 'a map with "certificate" and "key"'), 'a list of { certificate, key }'),
      'Certificates for whatever names they cover.',
    ),
    hsts: key(
      hstsShape,
      'Whether browsers are told to come by HTTPS only (Strict-Transport-Security). `automatic`: for public names whose certificate is not of the local CA, at port 443; an app that sends the field itself keeps its own.',
      { default: 'automatic' },
    ),
    deploy_to: key(
      list(deployShape, 'a list of { name, certificate, key }'),
      'Files of other programs that get the certificate of a host, whoever it is of, whenever it changes.',
    ),
  },
  'a map with "min_version", "certificates", "hsts" and "deploy_to"',
);

export const hostTlsShape: z.ZodType<HostTlsInput> = either(
  either(word('automatic', 'acme', 'local', 'off'), flag(), '"acme", "local" or "off"'),
  section(
    {
      mode: key(
        either(word('automatic', 'acme', 'local', 'off'), flag(), '"automatic", "acme", "local" or "off"'),
        'Where the certificate comes from, as in the short form `tls: local`.',
        { default: 'automatic' },
      ),
      acme: key(hostAcmeShape, 'As `tls: acme`, with what differs from the top-level `acme` for this host.', {
        examples: [{ profile: 'shortlived' }],
      }),
      ...certificateKeys,
      client_ca: key(text(FILE), 'PEM file with the CA that signs the client certificates of this host.'),
      client_certificates: key(
        word('request', 'require'),
        '`request`: a visitor may come without one. `require`: no connection without one.',
        { default: 'request' },
      ),
    },
    'a map with "certificate" and "key"',
  ),
  '"acme", "local", "off", or a map with "certificate" and "key"',
);
