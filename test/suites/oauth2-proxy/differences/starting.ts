/** Settings that one program starts with and the other refuses. */
import { answer } from './difference.ts';
import type { Difference } from './difference.ts';

export const STARTS: readonly Difference[] = [
  {
    id: 'others-may-come-later',
    original: 'ends where the provider or Redis does not answer, or the provider answers in another name',
    postern: 'starts, is not `/ready`, and asks until the answer is right',
    reason:
      'whoever starts first must not matter, and an outage of the provider must not keep those out who are signed in',
    where: [answer(/^starts\/(?:issuer-(?:unreachable|other)|redis-unreachable)$/, 'refuses', /^starts$/)],
  },
  {
    id: 'one-bad-line-is-one-person',
    original: 'ends at a password file with a line that is neither bcrypt nor SHA-1, or with no line',
    postern: 'starts, and the log names whoever cannot sign in',
    reason: 'the others can',
    where: [answer(/^starts\/htpasswd-(?:plain|md5|argon2|empty)$/, 'refuses', /^starts$/)],
  },
  {
    id: 'base64-as-most-write-it',
    original: 'refuses a `cookie_secret` in standard base64 with "+" or "/"',
    postern: 'takes it, with a warning',
    reason: '`openssl rand -base64 32` writes it so',
    where: [answer(/^starts\/secret-base64-plus$/, 'refuses', /^starts$/)],
  },
  {
    id: 'settings-that-mean-nothing',
    original:
      'starts with a misspelt rule, a domain that matches nobody, a method that is none, a folder that is not there',
    postern:
      'refuses, and says what to write instead; [each option](reference/oauth2-proxy-options.md) says what is taken',
    reason: 'a rule that does nothing is found out by the wrong people',
    where: [
      answer(
        /^starts\/(?:email-domain-at|variable-singular|cookie-host-domain|challenge-unknown|upstream-static-word|upstream-folder-missing|route-equals|bearer-issuer-ignored|whitelist-\w+|prefix-no-slash|templates-missing)$/,
        'starts',
        /^refuses$/,
      ),
    ],
  },
];
