/** Fills a parsed template: each value escaped for where it stands, HTML of the operator's own as it is. */
import { escapeHtml, Html } from '../../sign-in/pages/html.ts';
import type { Expression, TemplateNode } from './template-parser.ts';
import type { Place } from './template-place.ts';

export type TemplateValue = string | number | boolean | Html;
export type TemplateValues = Readonly<Record<string, TemplateValue>>;

/** Any scheme but those of pages and mail: "javascript:" in whatever spelling. */
const SCRIPT_ADDRESS = /^[\s\u0000-\u0020]*(?!https?:|mailto:)[a-z][a-z0-9+.\s-]*:/i;

export function renderTemplate(nodes: readonly TemplateNode[], values: TemplateValues): string {
  return nodes.map((node) => renderNode(node, values)).join('');
}

function renderNode(node: TemplateNode, values: TemplateValues): string {
  if (node.kind === 'text') return node.text;
  if (node.kind === 'value') return escapeFor(node.place, evaluate(node.expression, values));
  const chosen = node.branches.find(({ condition }) => condition === null || isTrue(evaluate(condition, values)));
  return chosen === undefined ? '' : renderTemplate(chosen.nodes, values);
}

function escapeFor(place: Place, value: TemplateValue): string {
  if (place === 'text') return value instanceof Html ? value.toString() : escapeHtml(String(value));
  if (place === 'attribute') return escapeHtml(String(value));
  if (place === 'url') return escapeHtml(SCRIPT_ADDRESS.test(String(value)) ? '#' : String(value));
  // As in the original: whatever is in it, it is one value of the query.
  if (place === 'query') return escapeHtml(encodeURIComponent(String(value).toWellFormed()));
  if (place === 'code' && (typeof value === 'number' || typeof value === 'boolean')) return String(value);
  const text = escapeScript(String(value));
  return place === 'code' ? `"${text}"` : text;
}

/** Nothing but letters and digits stays: the text ends no string, no comment and no element, wherever it stands. */
function escapeScript(text: string): string {
  return text.replaceAll(/[^A-Za-z0-9]/g, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function evaluate(expression: Expression, values: TemplateValues): TemplateValue {
  if (expression.kind === 'literal') return expression.value;
  if (expression.kind === 'field') return values[expression.name] ?? '';
  const given = expression.values.map((one) => evaluate(one, values));
  const [first = '', ...rest] = given;
  switch (expression.name) {
    case 'eq':
      return rest.some((one) => String(one) === String(first));
    case 'ne':
      return rest.every((one) => String(one) !== String(first));
    case 'and':
      return given.find((one) => !isTrue(one)) ?? given.at(-1) ?? '';
    case 'or':
      return given.find(isTrue) ?? given.at(-1) ?? '';
    case 'not':
      return !isTrue(first);
    case 'ToUpper':
      return String(first).toUpperCase();
    default:
      return String(first).toLowerCase();
  }
}

/** Go's: not empty, not zero, not false. */
function isTrue(value: TemplateValue): boolean {
  return value instanceof Html ? value.toString() !== '' : value !== '' && value !== 0 && value !== false;
}
