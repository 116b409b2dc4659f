/** The JSON Schema of the document, for editors: completion, descriptions and red lines while typing. */
import * as z from 'zod';
import { documentShape } from './schema.ts';

export type JsonSchema = z.core.JSONSchema.JSONSchema;

const SUBSTITUTION: JsonSchema = { type: 'string', pattern: '\\$\\{.+\\}' };
const NOTES = ['description', 'default', 'examples'] as const;

/** Draft 7: the one that YAML language servers know best. */
export function documentJsonSchema(): JsonSchema {
  const options = {
    target: 'draft-7',
    io: 'input',
    override: ({ jsonSchema }: { jsonSchema: JsonSchema }) => tidy(jsonSchema),
  } as const;
  return { ...z.toJSONSchema(documentShape, options), title: 'Postern configuration document' };
}

/** Nested choices become one, and `${PORT}` may stand where a number or true and false are wanted. */
function tidy(schema: JsonSchema): void {
  if (schema.anyOf === undefined) {
    if (schema.type !== 'number' && schema.type !== 'integer' && schema.type !== 'boolean') return;
    if (schema.const !== undefined) return;
    const rest: Record<string, unknown> = { ...schema };
    const kept: Record<string, unknown> = {};
    for (const note of NOTES) {
      if (rest[note] !== undefined) kept[note] = rest[note];
      delete rest[note];
    }
    replace(schema, { ...kept, anyOf: [rest, SUBSTITUTION] });
    return;
  }
  const options = schema.anyOf.flatMap((one) => (isBareChoice(one) ? (one.anyOf as JsonSchema[]) : [one]));
  const unique = [...new Map(options.map((one) => [JSON.stringify(one), one])).values()];
  const takesText = unique.some((one) => one.type === 'string' && Object.keys(one).length === 1);
  replace(schema, {
    ...schema,
    anyOf: takesText ? unique.filter((one) => one.pattern !== SUBSTITUTION.pattern) : unique,
  });
}

function isBareChoice(schema: JsonSchema): boolean {
  return schema.anyOf !== undefined && Object.keys(schema).length === 1;
}

function replace(schema: JsonSchema, by: JsonSchema): void {
  for (const key of Object.keys(schema)) delete schema[key as keyof JsonSchema];
  Object.assign(schema, by);
}
