/**
 * Takes the configuration that a page of docs/forward-auth shows, so that what is tried is what people copy.
 * Only addresses, file names and secrets are put in; a word that is to be replaced and is not there is an error.
 */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';

const DIR = resolve(import.meta.dirname, '../../../docs/forward-auth');

/** The first block below the heading, of that language. */
export function blockOf(page: string, heading: string, language: string): string {
  const text = readFileSync(resolve(DIR, page), 'utf8');
  // A single "#" begins a comment in most of these languages.
  const section = text.split(/^## /m).find((one) => one.startsWith(`${heading}\n`));
  if (section === undefined) throw new Error(`Cannot find "${heading}" in docs/forward-auth/${page}`);
  const block = new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'm').exec(section)?.[1];
  if (block === undefined) throw new Error(`Cannot find a ${language} block below "${heading}" of ${page}`);
  return block;
}

export function fillIn(block: string, values: Readonly<Record<string, string>>): string {
  let text = block;
  for (const [word, value] of Object.entries(values)) {
    if (!text.includes(word)) throw new Error(`Cannot fill in "${word}": the page does not say it`);
    text = text.replaceAll(word, value);
  }
  return text;
}

/** `NAME=value` lines, as an env file has them. */
export function parseEnv(block: string): Record<string, string> {
  const lines = block.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return Object.fromEntries(
    lines.map((line) => [
      line.slice(0, line.indexOf('=')),
      line.slice(line.indexOf('=') + 1).replace(/^"(.*)"$/, '$1'),
    ]),
  );
}
