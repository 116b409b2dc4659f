/**
 * Writes what the documentation takes from the code: the reference of the document and of the
 * DNS providers, the JSON Schema and the table of error codes. A test fails while they are stale.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { printDnsReference } from '../src/certs/dns/reference.ts';
import { documentJsonSchema } from '../src/config/json-schema.ts';
import { PROVIDER_PRESETS, type ProviderPreset } from '../src/config/presets/providers.ts';
import { printReference } from '../src/config/reference.ts';
import { ERRORS } from '../src/core/errors.ts';
import { REASONS } from '../src/edge/decision-reason.ts';
import { printOptionReference } from '../src/forward-auth/options/reference.ts';
import { printDifferences, printExtent } from '../test/suites/oauth2-proxy/print-differences.ts';

/** Path from the repository's root -> text. */
export function generatedDocs(): ReadonlyMap<string, string> {
  return new Map([
    ['docs/reference/config.md', printReference()],
    ['docs/reference/dns-providers.md', printDnsReference()],
    ['docs/reference/postern.schema.json', `${JSON.stringify(documentJsonSchema(), null, 1)}\n`],
    ['docs/reference/providers.md', printProviders()],
    ['docs/errors.md', printErrors()],
    ['docs/reference/log.md', printLog()],
    ['docs/reference/oauth2-proxy-options.md', printOptionReference()],
    [
      'docs/oauth2-proxy.md',
      fillIn('docs/oauth2-proxy.md', { extent: printExtent(), differences: printDifferences() }),
    ],
  ]);
}

/** A page written by hand, with what stands between `<!-- NAME -->` and `<!-- /NAME -->` replaced. */
function fillIn(page: string, parts: Readonly<Record<string, string>>): string {
  let text = readFileSync(resolve(import.meta.dirname, '..', page), 'utf8');
  for (const [name, part] of Object.entries(parts)) {
    const [before, after] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
    const [start, end] = [text.indexOf(before), text.indexOf(after)];
    if (start === -1 || end < start) throw new Error(`Cannot fill in "${page}": it has no "${before}" and "${after}"`);
    text = `${text.slice(0, start + before.length)}\n${part}\n${text.slice(end)}`;
  }
  return text;
}

function printLog(): string {
  const rows = Object.entries(REASONS).map(([reason, meaning]) => `| \`${reason}\` | ${meaning} |\n`);
  return `# The access log

Generated from \`src/edge/decision-reason.ts\` by \`scripts/generate-docs.ts\`; edits here are lost.

One line of JSON a request on standard output (\`log.format: json\`). Beside what was asked and answered: \`who\` came (\`local:alice\`, \`service:promtail\`, \`token:ci\`, \`-\` for nobody known),
\`route\`, \`decision\` and \`rule\` of the rules, \`reason\` as one of the codes below, and \`code\` of [errors](../errors.md) where there was one. \`shadow\` and \`shadowRule\` are there where rules
on trial would have decided otherwise. Whom the rules refuse on their way from signing in gets the page on the sign-in host: its line has what they wanted as \`wantedHost\` and \`wantedPath\`, and \`decision\`, \`rule\`, \`reason\` and \`shadow\` of that. So has whoever is refused before there is a session of theirs (\`who\` is the person all the same), and whoever would have to show more than their provider does. Queries are masked where they may hold a secret; tokens of machines wherever they stand. \`status\` 499: the client was gone before an answer began.

| reason | what it means |
| --- | --- |
${rows.join('')}
## Changing the rules

**On trial.** \`shadow: { allow: [...], deny: [...] }\` on a host or path holds rules that are judged for every request and change nothing: \`allow\` stands in for the route's, \`deny\` comes on top. Where
they would decide otherwise the line says so, \`postern_shadow_decisions_total\` counts it, and \`postern explain\` shows it. The password of a service that only they ask for is checked, too: the request does not wait for
that and goes on as it came, its line does.

**Against what happened.** \`postern policy diff old.yaml new.yaml --log access.jsonl\` replays the lines of a log and prints whose access would change, by which rules and how often; it exits 1
where some would. A line names people, not their groups: those are what Postern knows now, or \`--people FILE\` (\`[{ "provider": "local", "name": "alice", "groups": ["ops"] }]\`, with \`"roles"\` and \`"email"\` where rules ask; also for machines that came by a provider's access token, of whom nothing is known between requests). Where the old document then decides otherwise than the log says (a group
of then, a certificate, a header), the request is counted as unclear; so is one where it depends on header fields what the new one says, and the route in its line does not tell whether they were there. Whom the rules let in and \`{user.name}\`, a map or \`routes\` lead to no app is shown as \`no-app\`; what a route asks for by \`require\` was shown by whom it let in, and is a change where only the new
document asks for it. Logs may be packed by gzip or zstd, as rotated ones are, and \`--log\` may stand there several times. Damaged lines are
counted and the first is named; a log of which no line can be read is an error, not "no change", and so is one of \`postern forward-auth\` or \`guard\`, whose settings are no document. Of a packed log that ends in its middle (a rotation that is still packing) what is whole is replayed; the place
is told on standard error and as \`cut\` with \`--json\`, and the exit code is that of what was replayed: give it once more when it is whole. A packed log whose check sum is wrong is an error. Exit codes: 0 no change, 1 a change or an error.
`;
}

/** The types that are presets of OpenID Connect, what each fills in, and what is odd about it. */
function printProviders(): string {
  const entries = Object.entries(PROVIDER_PRESETS);
  return `# Sign-in providers

Generated from \`src/config/presets/providers.ts\` by \`scripts/generate-docs.ts\`; edits here are lost.
Each type below is \`oidc\` with these values filled in; a key of the document goes before them. Keycloak was tried
against the real service (26.7); the others against a local provider that follows the protocol, with the values below.
Redirect URI to register: \`https://SIGN-IN-HOST/.postern/callback/ID\`, after signing out \`https://SIGN-IN-HOST/.postern/signed-out\`,
back-channel logout \`https://SIGN-IN-HOST/.postern/backchannel-logout\`. \`ID\` is the key under \`providers:\`.

| type | issuer | scopes | \`user:\` | \`group:\` | \`role:\` |
| --- | --- | --- | --- | --- | --- |
${entries.map(([type, preset]) => printPreset(type, preset)).join('')}
## What a back-channel logout ends

A logout token of the provider is checked in full (signature, issuer, audience, times, event, no nonce) and counts once. What it says decides what ends, on every host and on open WebSockets within a second:

* \`sub\` without \`sid\`: all sessions of the person by this provider.
* \`sid\`: the session that was opened with it. One that is over already, or was never here, ends nothing, and the answer is 200 all the same: the person is signed out, as the provider wanted.
* \`sid\` and \`sub\`: besides, sessions of the person in whose ID token the provider did not say a \`sid\`: any of them may be the one that is meant. Sessions with another \`sid\` go on.
* A session that is just being opened counts as one that is there: also where the token comes while the person is on the way back from the provider. They are asked to sign in again.

## What to know of each

${entries.map(([type, { title, quirks }]) => `### ${title} (\`${type}\`)\n\n${quirks.map((one) => `* ${one}\n`).join('')}`).join('\n')}`;
}

function printPreset(type: string, preset: ProviderPreset): string {
  const list = (items: readonly string[]): string => items.map((one) => `\`${one}\``).join(', ') || '-';
  const issuer = preset.issuer === null ? `such as \`${preset.issuerExample}\`` : `\`${preset.issuer}\``;
  const { scopes, userClaims, groupsClaims, rolesClaims } = preset;
  return `| \`${type}\` | ${issuer} | ${list(scopes)} | ${list(userClaims)} | ${list(groupsClaims)} | ${list(rolesClaims)} |\n`;
}

function printErrors(): string {
  const rows = Object.entries(ERRORS).map(([code, meaning]) => `| \`${code}\` | ${meaning} |\n`);
  return `# Error codes

Generated from \`src/core/errors.ts\` by \`scripts/generate-docs.ts\`; edits here are lost.
A code is stable: the log line, the message on a terminal and the page that a visitor sees all carry it.

| code | what it means and what to do |
| --- | --- |
${rows.join('')}`;
}

if (import.meta.main) {
  for (const [path, text] of generatedDocs()) {
    const file = resolve(import.meta.dirname, '..', path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
}
