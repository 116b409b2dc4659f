/**
 * Writes what the documentation takes from the code: the reference of the document and of the
 * DNS providers, the JSON Schema and the table of error codes. A test fails while they are stale.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { printDnsReference } from '../src/certs/dns/reference.ts';
import { documentJsonSchema } from '../src/config/json-schema.ts';
import { printReference } from '../src/config/reference.ts';
import { ERRORS } from '../src/core/errors.ts';
import { REASONS } from '../src/edge/decision-reason.ts';

/** Path from the repository's root -> text. */
export function generatedDocs(): ReadonlyMap<string, string> {
  return new Map([
    ['docs/reference/config.md', printReference()],
    ['docs/reference/dns-providers.md', printDnsReference()],
    ['docs/reference/postern.schema.json', `${JSON.stringify(documentJsonSchema(), null, 1)}\n`],
    ['docs/errors.md', printErrors()],
    ['docs/reference/log.md', printLog()],
  ]);
}

function printLog(): string {
  const rows = Object.entries(REASONS).map(([reason, meaning]) => `| \`${reason}\` | ${meaning} |\n`);
  return `# The access log

Generated from \`src/edge/decision-reason.ts\` by \`scripts/generate-docs.ts\`; edits here are lost.

One line of JSON a request on standard output (\`log.format: json\`). Beside what was asked and answered: \`who\` came (\`local:alice\`, \`service:promtail\`, \`token:ci\`, \`-\` for nobody known),
\`route\`, \`decision\` and \`rule\` of the rules, \`reason\` as one of the codes below, and \`code\` of [errors](../errors.md) where there was one. \`shadow\` and \`shadowRule\` are there where rules
on trial would have decided otherwise. Queries are masked where they may hold a secret; tokens of machines wherever they stand.

| reason | what it means |
| --- | --- |
${rows.join('')}
## Changing the rules

**On trial.** \`shadow: { allow: [...], deny: [...] }\` on a host or path holds rules that are judged for every request and change nothing: \`allow\` stands in for the route's, \`deny\` comes on top. Where
they would decide otherwise the line says so, \`postern_shadow_decisions_total\` counts it, and \`postern explain\` shows it.

**Against what happened.** \`postern policy diff old.yaml new.yaml --log access.jsonl\` replays the lines of a log and prints whose access would change, by which rules and how often; it exits 1
where some would. A line names people, not their groups: those are what Postern knows now, or \`--people FILE\`. Where the old document then decides otherwise than the log says (a group
of then, a certificate, a header), the request is counted as unclear.
`;
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
