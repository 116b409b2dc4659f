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

/** Path from the repository's root -> text. */
export function generatedDocs(): ReadonlyMap<string, string> {
  return new Map([
    ['docs/reference/config.md', printReference()],
    ['docs/reference/dns-providers.md', printDnsReference()],
    ['docs/reference/postern.schema.json', `${JSON.stringify(documentJsonSchema(), null, 1)}\n`],
    ['docs/errors.md', printErrors()],
  ]);
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
