/** Prints docs/reference/config.md from the schema's descriptions. */
import { documentJsonSchema, type JsonSchema } from './json-schema.ts';

const INTRO = `# The configuration document

Generated from the schema by \`scripts/generate-docs.ts\`; edits here are lost.
Editors complete and check the document with [postern.schema.json](postern.schema.json):
\`# yaml-language-server: $schema=postern.schema.json\` as its first line.

* Durations: \`12h\`, \`30s\`, \`1h30m\`, \`500ms\`, \`0\`, \`unlimited\`. Sizes: \`10MB\` (ten million bytes), \`512KiB\` (times 1024), \`unlimited\`.
* \`\${NAME}\`, \`\${NAME:-default}\` and \`\${file:/path}\` are filled in when the document is loaded, within values and never within keys.
  Unset or empty is an error. \`$\${\` stands for a plain \`\${\`. The env file wins over the environment of the process.
* \`{user.name}\`, \`{service.name}\`, \`{token.name}\` and \`{map.NAME}\` are filled in for each request where a key says so.
* Paths of files are relative to the folder of the document.
* YAML takes \`{\`, \`[\`, \`*\`, \`&\`, \`!\`, \`@\` and \`%\` for its own: quote values and keys that begin with one.
`;

const HOST = 'hosts.NAME';

export function printReference(): string {
  const sections: string[] = [];
  describe('', documentJsonSchema(), sections, new Set());
  return `${INTRO}\n${sections.join('\n')}`;
}

/** One table for each map. A shape that stands in several places is printed at the first. */
function describe(place: string, schema: JsonSchema, sections: string[], seen: Set<string>): void {
  const keys = Object.entries((schema.properties ?? {}) as Record<string, JsonSchema>);
  const shape = keys.map(([name]) => name).join();
  if (keys.length === 0 || seen.has(shape)) return;
  seen.add(shape);
  let text = place === '' ? '## Top level\n' : `## \`${place}\`\n`;
  if (place === HOST) text += `\nAll keys but \`tls\` and \`paths\` may stand in \`${HOST}.paths.PATH\` as well.\n`;
  text += '\n| key | default | what it does |\n| --- | --- | --- |\n';
  for (const [name, key] of keys) {
    const fallback = key.default === undefined ? '' : `\`${inline(key.default)}\``;
    text += `| \`${name}\` | ${fallback} | ${cell(key)} |\n`;
  }
  sections.push(text);
  for (const [name, key] of keys) {
    if (place === HOST && name === 'paths') continue;
    for (const [suffix, inner] of innerMaps(key)) {
      describe(`${place === '' ? '' : `${place}.`}${name}${suffix}`, inner, sections, seen);
    }
  }
}

function cell(key: JsonSchema): string {
  const examples = (key.examples ?? []) as readonly unknown[];
  const words = wordsOf(key);
  const parts = [key.description ?? ''];
  if (words.length > 1) parts.push(`One of ${words.map((word) => `\`${word}\``).join(', ')}.`);
  if (examples.length > 0) parts.push(`Example: ${examples.map((one) => `\`${inline(one)}\``).join(', ')}.`);
  return parts.join(' ').replaceAll('|', '\\|');
}

function wordsOf(key: JsonSchema): readonly string[] {
  const options = [key, ...(key.anyOf ?? [])];
  return options.flatMap((one) => (one.enum ?? []) as readonly string[]);
}

/** The maps within a key: the value itself, an entry of a map ("NAME"), an item of a list ("[]"). */
function innerMaps(key: JsonSchema): readonly (readonly [suffix: string, schema: JsonSchema])[] {
  const options = [key, ...(key.anyOf ?? [])];
  const found = options.flatMap((one): readonly (readonly [string, JsonSchema])[] => {
    if (one.properties !== undefined) return [['', one]];
    if (isSchema(one.additionalProperties))
      return innerMaps(one.additionalProperties).map(([suffix, inner]) => [`.NAME${suffix}`, inner]);
    if (isSchema(one.items)) return innerMaps(one.items).map(([suffix, inner]) => [`[]${suffix}`, inner]);
    return [];
  });
  const shapes = new Set<string>();
  return found.filter(([, inner]) => {
    const shape = Object.keys(inner.properties ?? {}).join();
    return shapes.has(shape) ? false : shapes.add(shape) !== null;
  });
}

function isSchema(value: unknown): value is JsonSchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** As it would be written in a flow of YAML. */
function inline(value: unknown): string {
  if (typeof value === 'string') return /^[\w./-]+$/.test(value) ? value : JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(inline).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return String(value);
  const pairs = Object.entries(value).map(
    ([key, one]) => `${/^[\w./-]+$/.test(key) ? key : JSON.stringify(key)}: ${inline(one)}`,
  );
  return `{ ${pairs.join(', ')} }`;
}
