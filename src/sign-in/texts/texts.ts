/**
 * The words of Postern's pages, one table a language. A table is complete by its type. Which one a
 * visitor gets follows Accept-Language (RFC 9110 section 12.5.4); English where none fits.
 */
import { EN } from './en.ts';
import { KO } from './ko.ts';
import { ZH_HANS } from './zh-hans.ts';
import type { RegistrationTexts } from './registration.ts';

export interface ErrorTexts {
  readonly title: string;
  readonly text: string;
}

/** What a visitor is told where a provider did not sign them in; `operator` is for whoever runs the site. */
export interface ProblemTexts {
  readonly title: (label: string) => string;
  readonly text: (label: string) => string;
  readonly operator?: string;
  /** On the button that goes back to the provider; left out: "Try again". */
  readonly again?: string;
}

export interface UnsaidRemedy {
  readonly label: string;
  /** In quotation marks: claims, a key of the document, and where it stands. */
  readonly claims: string;
  readonly key: string;
  readonly provider: string;
  /** What makes this provider say it, in its own words; null: in ours. */
  readonly remedy: string | null;
}

export type ForwardAuthProblem =
  | 'cookie-missing'
  | 'cookie-twice'
  | 'cookie-expired'
  | 'state-forged'
  | 'incomplete'
  | 'refused'
  | 'redeem'
  | 'signed-out'
  | 'unavailable'
  | 'not-admitted'
  | 'unreadable'
  | 'foreign-form'
  | 'foreign-sign-out'
  | 'store';

/** What a visitor is told, and whoever runs the site. The label is the provider's. */
export interface ForwardAuthProblemTexts {
  readonly title: string;
  readonly text: (label: string) => string;
  readonly operator?: string;
}

export interface Texts {
  /** BCP 47 tag for `<html lang>`. */
  readonly language: string;
  readonly requestId: string;
  readonly tryAgain: string;
  readonly backToApp: (host: string) => string;
  readonly goHome: string;
  readonly signedInAs: string;
  readonly useAnotherAccount: string;
  readonly seconds: (count: number) => string;
  /** By error code or status; `other` for the rest. */
  readonly errors: Readonly<Record<string, ErrorTexts>> & { readonly other: ErrorTexts };
  readonly signIn: {
    readonly title: string;
    readonly to: (host: string) => string;
    readonly name: string;
    readonly password: string;
    readonly submit: string;
    readonly continueAs: (name: string) => string;
    readonly alreadyAs: (name: string) => string;
    readonly wrong: string;
    readonly disabled: string;
    readonly empty: string;
    readonly expired: string;
    readonly wait: (time: string) => string;
    readonly busy: string;
    readonly noCookies: string;
  };
  readonly secondStep: {
    readonly title: string;
    readonly code: string;
    readonly recoveryCode: string;
    readonly useRecovery: string;
    readonly submit: string;
    readonly empty: string;
    readonly wrong: string;
    /** Of what cannot be a code of an app. */
    readonly wrongRecovery: string;
    readonly usePasskey: string;
    readonly passkeyFailed: string;
    readonly passkeyWrong: string;
    readonly signInWithPasskey: string;
    readonly noPasskey: string;
  };
  readonly security: {
    readonly title: string;
    readonly open: string;
    readonly neededFor: (host: string) => string;
    readonly none: string;
    readonly add: string;
    readonly addTotp: string;
    readonly addPasskey: string;
    readonly totp: string;
    readonly passkey: string;
    readonly lastUsed: string;
    readonly never: string;
    readonly remove: string;
    readonly removeNamed: (name: string) => string;
    readonly recovery: string;
    readonly recoveryLeft: (count: number) => string;
    readonly newRecovery: string;
    readonly keep: string;
    readonly kept: string;
    readonly recoveryUsed: string;
    readonly scan: string;
    readonly qrLabel: string;
    readonly typeInstead: string;
    readonly nameLabel: string;
    readonly passkeyName: string;
    readonly confirm: string;
    readonly confirmFirst: string;
    readonly back: string;
    readonly foreign: (provider: string) => string;
    readonly providerNeeded: (provider: string) => ErrorTexts;
    readonly proofNeeded: (provider: string) => ErrorTexts;
  };
  readonly provider: {
    readonly with: (label: string) => string;
    readonly local: string;
    readonly others: string;
    readonly alreadyAs: (name: string) => string;
    readonly problems: {
      readonly unavailable: ProblemTexts;
      readonly denied: ProblemTexts;
      readonly interaction: ProblemTexts;
      readonly scope: ProblemTexts;
      readonly registration: ProblemTexts;
      readonly invalid: ProblemTexts;
      readonly clock: ProblemTexts;
      readonly 'not-admitted': ProblemTexts;
      /** The label is that of the organisations. */
      readonly withheld: ProblemTexts;
    };
    /** In place of what `registration` says to whoever runs the site, where it is known which setting it is. */
    readonly registrations: RegistrationTexts;
  };
  /** Of `postern forward-auth`: sign-in for a front proxy. */
  readonly forwardAuth: {
    readonly domains: (domains: string) => string;
    readonly or: string;
    readonly emptyName: string;
    readonly back: string;
    readonly problems: Readonly<Record<ForwardAuthProblem, ForwardAuthProblemTexts>>;
  };
  readonly setPassword: {
    readonly title: string;
    readonly forAccount: string;
    readonly password: string;
    readonly repeat: string;
    readonly hint: (least: number) => string;
    readonly submit: string;
    readonly tooShort: (least: number) => string;
    readonly tooLong: string;
    readonly likeName: string;
    readonly differ: string;
    readonly endsSessions: string;
    /** `operator` stands before the command that makes a new link. */
    readonly gone: ErrorTexts & { readonly operator: string };
  };
  readonly home: {
    readonly title: string;
    readonly groups: string;
    readonly noGroups: string;
    readonly moreGroups: (count: number) => string;
    readonly until: string;
    readonly apps: string;
    readonly signOut: string;
    readonly signOutEverywhere: string;
    readonly welcome: string;
    readonly passwordSet: string;
    readonly signIn: string;
  };
  readonly signOut: {
    readonly title: string;
    readonly text: string;
    readonly here: string;
    readonly everywhere: string;
    readonly stay: string;
    readonly doneTitle: string;
    readonly done: string;
    readonly doneEverywhere: string;
    readonly signInAgain: string;
    readonly stillSignedIn: ErrorTexts;
  };
  readonly denied: {
    readonly title: string;
    readonly text: (host: string) => string;
    readonly anonymous: (host: string) => string;
    /** The label is the provider's. */
    readonly sameAgain: (label: string) => string;
    readonly rule: string;
    readonly reason: string;
    /** The provider said nothing of what the rules look at. */
    readonly unsaid: {
      readonly name: (label: string) => string;
      readonly groups: (label: string) => string;
      readonly roles: (label: string) => string;
      readonly email: (label: string) => string;
      readonly 'verified-email': (label: string) => string;
      /** For whoever runs the site. */
      readonly operator: (remedy: UnsaidRemedy) => string;
      readonly operatorEmail: (label: string, provider: string) => string;
      /** `canTrust`: the provider may be trusted without its word. */
      readonly operatorDomains: (label: string, provider: string, canTrust: boolean) => string;
      /** What makes it say the groups, by preset; stands within `operator`. */
      readonly atProvider: Readonly<Record<string, string>>;
    };
    readonly ask: string;
  };
  readonly noApp: {
    readonly title: string;
    readonly text: (host: string) => string;
    readonly ask: string;
  };
  readonly loop: ErrorTexts & { readonly reasons: readonly string[] };
  readonly link: {
    readonly title: string;
    readonly lead: (place: string) => string;
    readonly open: string;
    readonly badTitle: string;
    readonly badText: string;
  };
  readonly landing: ErrorTexts;
  readonly badTicket: ErrorTexts;
  readonly unlistedHost: ErrorTexts;
  readonly refusedForm: ErrorTexts;
  readonly whoami: {
    readonly title: string;
    readonly lead: string;
    readonly name: string;
    readonly email: string;
    readonly provider: string;
    readonly service: string;
    readonly nobody: string;
    readonly session: string;
    readonly lastSeen: string;
    readonly live: string;
    readonly open: string;
    readonly closed: string;
    readonly say: string;
    readonly send: string;
    readonly noScript: string;
    readonly request: string;
    readonly target: string;
    readonly connection: string;
    readonly address: string;
    readonly unknown: string;
    readonly headers: string;
  };
}

/** By primary language subtag. Any kind of Chinese gets the one table: closer than English. */
const TABLES: Readonly<Record<string, Texts>> = { en: EN, ko: KO, zh: ZH_HANS };
const MAX_HEADER = 1_000;
const QUALITY = /^\s*q=([01](?:\.\d{0,3})?)\s*$/;

const TAG = /^[a-z]{2,8}(?:-[a-z0-9]{1,8}){0,4}$/;
const MOST_LOCALES = 5;

export function textsFor(acceptLanguage: string | null | undefined): Texts {
  let best: Texts = EN;
  let bestWeight = 0;
  const ranges = rangesOf(acceptLanguage);
  for (const { tag, weight } of ranges) {
    const primary = tag.split('-')[0] ?? '';
    if (weight > bestWeight && Object.hasOwn(TABLES, primary)) {
      best = TABLES[primary] ?? EN;
      bestWeight = weight;
    }
  }
  // "*" stands for whatever is not named: for English, unless that is.
  const rest = ranges.find(({ tag }) => tag === '*')?.weight ?? 0;
  return rest > bestWeight && !ranges.some(({ tag }) => /^en(?:-|$)/.test(tag)) ? EN : best;
}

/** Of an error, a line a language, for whoever's language is not known. */
export function wordsInAllLanguages(error: string): string {
  return Object.values(TABLES)
    .map(({ errors }) => `${(errors[error] ?? errors.other).title}: ${(errors[error] ?? errors.other).text}\n`)
    .join('');
}

/** What a person reads best, first: `ui_locales` of a provider (OpenID Connect Core section 3.1.2.1). */
export function localesOf(acceptLanguage: string | null | undefined): readonly string[] {
  const known = rangesOf(acceptLanguage).filter(({ tag, weight }) => weight > 0 && TAG.test(tag));
  const tags = known.toSorted((one, other) => other.weight - one.weight).map(({ tag }) => canonicalTag(tag));
  return [...new Set(tags)].slice(0, MOST_LOCALES);
}

interface Range {
  /** In lower case. */
  readonly tag: string;
  readonly weight: number;
}

function rangesOf(acceptLanguage: string | null | undefined): readonly Range[] {
  const text = acceptLanguage ?? '';
  // Of a range that is cut the weight is, too: "ko;q=0" would be one of 1.
  const most = text.length <= MAX_HEADER ? text.length : Math.max(0, text.lastIndexOf(',', MAX_HEADER));
  return text
    .slice(0, most)
    .split(',')
    .map((range) => {
      const [tag = '', ...parameters] = range.trim().toLowerCase().split(';');
      const quality = parameters.map((one) => QUALITY.exec(one)?.[1]).find((one) => one !== undefined);
      return { tag: tag.trim(), weight: quality === undefined ? 1 : Number(quality) };
    });
}

/** Providers compare by letters: "ko-KR", "zh-Hans". */
function canonicalTag(tag: string): string {
  return tag
    .split('-')
    .map((part, index) => {
      if (index > 0 && part.length === 2) return part.toUpperCase();
      return index > 0 && part.length === 4 ? part.slice(0, 1).toUpperCase() + part.slice(1) : part;
    })
    .join('-');
}
