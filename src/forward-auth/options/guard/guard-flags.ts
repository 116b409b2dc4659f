/** Flags of `postern guard`, each with its variable: `--client-id` is `POSTERN_CLIENT_ID`. */
import { suggest } from '../../../config/did-you-mean.ts';
import { parseGoBool } from '../go-values.ts';
import { quote } from '../finding.ts';
import type { Findings } from '../finding.ts';

export interface GuardFlag {
  readonly flag: string;
  readonly type: 'text' | 'list' | 'bool';
  /** What stands for the value in help. */
  readonly word: string;
  readonly help: string;
  readonly isSecret?: true;
}

export const GUARD_FLAGS: readonly GuardFlag[] = [
  {
    flag: 'to',
    type: 'text',
    word: 'URL',
    help: 'the application: http://127.0.0.1:3000, https://HOST, unix:/PATH or a port alone',
  },
  { flag: 'url', type: 'text', word: 'URL', help: 'the address that people type, such as https://app.example.com' },
  {
    flag: 'listen',
    type: 'text',
    word: 'ADDRESS',
    help: 'where to listen: :4180, 127.0.0.1:4180 or unix:/PATH [:4180]',
  },
  { flag: 'tls-cert', type: 'text', word: 'FILE', help: 'certificate chain, PEM: serve HTTPS here' },
  { flag: 'tls-key', type: 'text', word: 'FILE', help: 'its private key, PEM' },
  { flag: 'allow', type: 'list', word: 'RULE', help: 'who may enter; may be repeated, any one is enough' },
  {
    flag: 'public',
    type: 'list',
    word: 'PATH',
    help: 'a path that needs no sign-in, /x/* for all below it; may be repeated',
  },
  { flag: 'issuer', type: 'text', word: 'URL', help: 'sign in by this OpenID provider' },
  { flag: 'github', type: 'bool', word: '', help: 'sign in by GitHub' },
  { flag: 'github-url', type: 'text', word: 'URL', help: 'sign in by this GitHub Enterprise Server' },
  {
    flag: 'provider',
    type: 'text',
    word: 'KIND',
    help: 'another kind, such as google, gitlab, entra-id or keycloak-oidc (roles)',
  },
  {
    flag: 'passwords',
    type: 'text',
    word: 'FILE',
    help: 'sign in by names and passwords of this file ("htpasswd -B")',
  },
  { flag: 'client-id', type: 'text', word: 'ID', help: 'client id at the provider' },
  { flag: 'client-secret', type: 'text', word: 'SECRET', help: 'its secret', isSecret: true },
  { flag: 'client-secret-file', type: 'text', word: 'FILE', help: 'a file with it; read again when it changes' },
  { flag: 'scope', type: 'text', word: 'SCOPES', help: 'scopes to ask for ["openid email profile"]' },
  { flag: 'name', type: 'text', word: 'TEXT', help: 'name of the provider on the button' },
  { flag: 'ca', type: 'list', word: 'FILE', help: 'certificate authority of the provider, PEM' },
  {
    flag: 'trust-proxy',
    type: 'list',
    word: 'CIDR',
    help: 'proxies in front whose X-Forwarded-* counts: a network, or "private"',
  },
  { flag: 'session-lifetime', type: 'text', word: 'TIME', help: 'longest time from sign-in to the next one [12h]' },
  { flag: 'prefix', type: 'text', word: 'PATH', help: 'the path that is taken from the application [/.postern]' },
  {
    flag: 'data',
    type: 'text',
    word: 'DIR',
    help: 'where sessions are kept [$STATE_DIRECTORY; without either in memory]',
  },
  {
    flag: 'env-file',
    type: 'text',
    word: 'FILE',
    help: 'variables, as systemd reads them; they win over those of the process, and SIGHUP reads them again',
  },
  { flag: 'check', type: 'bool', word: '', help: 'check the settings, print every fault, and end' },
  { flag: 'config-test', type: 'bool', word: '', help: 'the same, as "postern forward-auth" calls it' },
  {
    flag: 'print-config',
    type: 'bool',
    word: '',
    help: 'print the same as a document for "postern run", without secrets, and end',
  },
  { flag: 'help', type: 'bool', word: '', help: 'print this' },
];

const BY_NAME: ReadonlyMap<string, GuardFlag> = new Map(GUARD_FLAGS.map((flag) => [flag.flag, flag]));
const ENV_PREFIX = 'POSTERN_';

export interface GuardValue {
  readonly values: readonly string[];
  readonly source: string;
}
export type GuardValues = ReadonlyMap<string, GuardValue>;

/** Flags go before variables, list by list. */
export function readGuardFlags(
  args: readonly string[],
  env: ReadonlyMap<string, string>,
  findings: Findings,
): GuardValues {
  const values = new Map<string, GuardValue>();
  for (const { flag, type } of GUARD_FLAGS) {
    const name = envOf(flag);
    const text = env.get(name) ?? '';
    if (text === '' || flag === 'help') continue;
    const items =
      type === 'list'
        ? text
            .split(',')
            .map((item) => item.trim())
            .filter((item) => item !== '')
        : [text];
    values.set(flag, { values: items, source: name });
  }
  reportVariables(env, findings);
  readArgs(args, values, findings);
  for (const [
    name,
    {
      values: [text = ''],
      source,
    },
  ] of values) {
    if (BY_NAME.get(name)?.type !== 'bool' || parseGoBool(text) !== null) continue;
    const message = `is ${quote(text)}, not true or false`;
    findings.add({ severity: 'error', option: name, source, message, remedy: 'write true or false' });
  }
  return values;
}

function envOf(flag: string): string {
  return ENV_PREFIX + flag.toUpperCase().replaceAll('-', '_');
}

function readArgs(args: readonly string[], values: Map<string, GuardValue>, findings: Findings): void {
  for (let at = 0; at < args.length; at++) {
    const arg = args[at] as string;
    const [, name = '', text] = /^--?([a-z][a-z-]*)(?:=(.*))?$/s.exec(arg) ?? [];
    const flag = BY_NAME.get(name === 'h' ? 'help' : name);
    if (flag === undefined) {
      unknownFlag(arg, name, findings);
      if (name !== '' && text === undefined && args[at + 1]?.startsWith('-') === false) at++;
      continue;
    }
    const value = text ?? (flag.type === 'bool' ? 'true' : args[++at]);
    const source = `--${flag.flag}`;
    if (value === undefined) {
      const remedy = `write --${flag.flag} ${flag.word}`;
      findings.add({ severity: 'error', option: flag.flag, source, message: 'has no value', remedy });
      continue;
    }
    const before = values.get(flag.flag);
    const isMore = flag.type === 'list' && before?.source === source;
    values.set(flag.flag, { values: isMore ? [...before.values, value] : [value], source });
  }
}

function unknownFlag(arg: string, name: string, findings: Findings): void {
  const near = name === '' ? null : suggest(name, BY_NAME.keys());
  const remedy = near === null ? '"postern guard --help" lists them' : `did you mean --${near}?`;
  const message = name === '' ? 'belongs to no flag' : 'is no flag that is known';
  findings.add({ severity: 'error', option: quote(arg.split('=')[0] ?? ''), source: 'command line', message, remedy });
}

/** Others of Postern are let be, and what Kubernetes sets for a service called postern. */
function reportVariables(env: ReadonlyMap<string, string>, findings: Findings): void {
  const known = GUARD_FLAGS.map(({ flag }) => envOf(flag));
  for (const name of env.keys()) {
    if (!name.startsWith(ENV_PREFIX) || known.includes(name) || /_(?:SERVICE_|PORT(?:_|$))/.test(name)) continue;
    const near = suggest(
      name.slice(ENV_PREFIX.length),
      known.map((one) => one.slice(ENV_PREFIX.length)),
    );
    if (near === null) continue;
    const remedy = `did you mean ${ENV_PREFIX}${near}?`;
    findings.add({ severity: 'warning', option: name, source: name, message: 'has no effect', remedy });
  }
}
