/** `postern guard --help`. */
import { GUARD_FLAGS } from './guard-flags.ts';

const COLUMN = 30;

export function printGuardHelp(): string {
  const flags = GUARD_FLAGS.map(({ flag, word, help }) => `  ${`--${flag} ${word}`.padEnd(COLUMN)}${help}\n`).join('');
  return `Usage: postern guard --to URL --url URL --allow RULE [flags]

Stands before one application and signs people in, all by flags or variables: --client-id is
POSTERN_CLIENT_ID, and a list in a variable has commas.

${flags}
Rules: signed-in, email:ann@example.com, @example.com, group:/developers, role:admin (Keycloak),
org:acme, team:acme/ops, user:ann (GitHub), ip:10.0.0.0/8 (needs no sign-in).

  postern guard --to 3000 --url https://app.example.com --github --client-id ID \\
    --client-secret-file /run/secrets/github --allow org:acme

The provider sends people back to URL/.postern/callback: register that address there. The application
learns who came from X-Forwarded-User, -Email, -Groups and -Preferred-Username, which nobody else can send.`;
}
