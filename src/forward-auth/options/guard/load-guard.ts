/**
 * Settings of `postern guard`: one application, all by flags and variables, with the defaults that are safe
 * today. What it is told becomes the options that say the same, and is checked and built as those are.
 */
import { build } from '../build-settings.ts';
import { readEnvironment } from '../environment.ts';
import { createFindings, quote } from '../finding.ts';
import { parseGoBool, parseGoDuration } from '../go-values.ts';
import { legacyStructured } from '../legacy.ts';
import { createTold } from '../told.ts';
import { readGuardFlags } from './guard-flags.ts';
import { guardIdentity } from './guard-identity.ts';
import { readPlaces } from './guard-places.ts';
import { readRules } from './guard-rules.ts';
import type { Finding, Findings } from '../finding.ts';
import type { Given, GivenOptions } from '../given.ts';
import type { OptionValue } from '../option.ts';
import type { Settings } from '../../settings.ts';
import type { GuardValues } from './guard-flags.ts';
import type { GuardRules } from './guard-rules.ts';

export interface GuardSource {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly now: () => number;
  /** What cookies are signed with: kept beside the sessions, so that both outlast a restart. */
  readonly cookieSecret: string;
}

export interface LoadedGuard {
  readonly settings: Settings | null;
  readonly findings: readonly Finding[];
  /** What was given for each option, and by what. */
  readonly given: GivenOptions;
}

/** What is done with the settings. */
export interface GuardChoices {
  readonly help: boolean;
  readonly check: boolean;
  readonly printConfig: boolean;
  readonly data: string | null;
}

const DEFAULT_LIFETIME_MS = 43_200_000;
/** Groups and roles are looked at again as often as the gateway does. */
const RECHECK_MS = 300_000;

/** For whoever sets one option. */
export type Give = (key: string, value: OptionValue, flag?: string) => void;

/** What is asked before settings are built. */
export function readGuardChoices(args: readonly string[], env: GuardSource['env']): GuardChoices {
  const { values } = readValues(args, env, createFindings());
  const isOn = (flag: string): boolean => parseGoBool(values.get(flag)?.values[0] ?? '') === true;
  return {
    help: isOn('help'),
    check: isOn('check') || isOn('config-test'),
    printConfig: isOn('print-config'),
    data: values.get('data')?.values[0] ?? null,
  };
}

/** The file is named by the flag, or by a variable of the process. */
function readValues(
  args: readonly string[],
  env: GuardSource['env'],
  findings: Findings,
): { readonly values: GuardValues; readonly variables: ReadonlyMap<string, string> } {
  const own = readGuardFlags(args, readEnvironment(env, null, findings).variables, createFindings());
  const { variables } = readEnvironment(env, own.get('env-file')?.values[0] ?? null, findings);
  return { values: readGuardFlags(args, variables, findings), variables };
}

export function loadGuard({ args, env, now, cookieSecret }: GuardSource): LoadedGuard {
  const findings = createFindings();
  const { values, variables } = readValues(args, env, findings);
  const given = new Map<string, Given>();
  const give: Give = (key, value, flag) => {
    const source = flag === undefined ? 'postern guard' : (values.get(flag)?.source ?? `--${flag}`);
    given.set(key, flag === undefined ? { value, source } : { value, source, name: flag });
  };
  give('cookie_secret', cookieSecret);
  const places = readPlaces(values, give, findings);
  const kind = guardIdentity(values, give, findings);
  const rules = readRules(values.get('allow'), kind, findings);
  giveRules(rules, give);
  checkPasswords(values, rules, findings);
  giveSession(values, give, findings);
  const told = createTold(given, findings);
  const structured = { ...legacyStructured(told), loginParameters: [] };
  const context = { told, structured, findings, variables, now, sessionMode: 'server', deniedStatus: 403 } as const;
  const settings = refine(build(context), { rules, places, kind });
  const isGood = !findings.list.some(({ severity }) => severity === 'error');
  return { settings: isGood ? settings : null, findings: findings.list, given };
}

function giveRules(rules: GuardRules, give: Give): void {
  // Refined below: no option of the original names addresses.
  give('email_domains', ['*']);
  if (!rules.isSignedIn) giveMembers(rules, give);
  give('trusted_ips', rules.networks, 'allow');
}

/** People by name are let in beside an organisation; readRules() saw to it that nothing else stands there. */
function giveMembers({ users, groups }: GuardRules, give: Give): void {
  if (users.length === 0) return give('allowed_groups', groups, 'allow');
  give('github_users', users, 'allow');
  const [org] = groups;
  if (org !== undefined) give('github_org', org, 'allow');
}

/** People of the file have neither address nor groups: no other rule could be meant for them. */
function checkPasswords(values: GuardValues, rules: GuardRules, findings: Findings): void {
  const passwords = values.get('passwords');
  if (passwords === undefined || rules.isSignedIn || !values.has('allow')) return;
  findings.add({
    severity: 'error',
    option: 'passwords',
    source: passwords.source,
    message: 'names people without e-mail address and groups, whom only the rule signed-in lets in',
    remedy: 'write --allow signed-in, or take the file out',
  });
}

function giveSession(values: GuardValues, give: Give, findings: Findings): void {
  const text = values.get('session-lifetime')?.values[0];
  const lifetime = text === undefined ? DEFAULT_LIFETIME_MS : parseGoDuration(text);
  if (lifetime === null || lifetime < 60_000) {
    const source = values.get('session-lifetime')?.source ?? '';
    const message = `is ${quote(text ?? '')}, not a duration of a minute or more`;
    findings.add({ severity: 'error', option: 'session-lifetime', source, message, remedy: 'write 12h, or 30m' });
    return;
  }
  give('cookie_expire', lifetime, 'session-lifetime');
  if (lifetime > RECHECK_MS) give('cookie_refresh', RECHECK_MS);
  give('cookie_csrf_per_request', true);
  give('cookie_csrf_per_request_limit', 10);
  give('cookie_samesite', 'lax');
}

interface Refinement {
  readonly rules: GuardRules;
  readonly places: { readonly prefix: string };
  readonly kind: Settings['provider']['kind'];
}

/** What no option of the original says. */
function refine(settings: Settings, { rules, places, kind }: Refinement): Settings {
  const { prefix } = places;
  const isByEmail = !rules.isSignedIn && rules.emails.length + rules.emailDomains.length > 0;
  return {
    ...settings,
    paths: { ...settings.paths, ping: `${prefix}/ping`, ready: `${prefix}/ready`, hasRobots: false },
    admission: {
      ...settings.admission,
      emailDomains: isByEmail ? rules.emailDomains : ['*'],
      emails: rules.isSignedIn ? [] : rules.emails,
      admitsWithoutEmail: !isByEmail,
    },
    provider: { ...settings.provider, needsEmail: isByEmail, ...(kind === 'none' && { kind }) },
  };
}
