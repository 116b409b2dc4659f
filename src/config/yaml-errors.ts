/**
 * YAML's own errors in the words of an operator, with the remedy for the usual traps: tabs, an
 * unquoted "*", braces and brackets around templates. One a line: the rest follow from the first.
 */
import type { Document as YamlDocument, YAMLError } from 'yaml';
import type { TreeNote } from './yaml-tree.ts';

const TRAPS: Readonly<Record<string, readonly [message: string, remedy: string | null]>> = {
  TAB_AS_INDENT: ['Cannot read YAML: a tab is used as indentation, expected spaces', 'replace each tab by two spaces'],
  MULTIPLE_DOCS: ['Cannot read YAML: there is more than one document', 'remove the line "---" and what follows'],
  BAD_DQ_ESCAPE: [
    'Cannot read YAML: a backslash in double quotes begins no known escape',
    'use single quotes, or write two backslashes',
  ],
  BLOCK_AS_IMPLICIT_KEY: ['Cannot read YAML: ": " stands within a value', 'quote the value'],
};

export function yamlNotes(document: YamlDocument, text: string): readonly TreeNote[] {
  const byLine = new Map<number, TreeNote>();
  const errors = withoutFollowers([...document.errors, ...document.warnings]).sort(
    (a, b) => rank(a) - rank(b) || a.pos[0] - b.pos[0],
  );
  for (const error of errors) {
    const offset = Math.min(error.pos[0], text.length);
    const start = text.lastIndexOf('\n', offset - 1) + 1;
    if (byLine.has(start)) continue;
    const end = text.indexOf('\n', offset);
    const [message, remedy] = explain(error, text.slice(start, end === -1 ? text.length : end).trim());
    byLine.set(start, {
      path: [],
      message,
      remedy,
      offset: error.code === 'BAD_ALIAS' ? aliasStart(text, start, offset) : offset,
    });
  }
  return [...byLine.values()].sort((a, b) => a.offset - b.offset);
}

/** A trap leaves the parser out of step: what it says about the layout afterwards is noise. */
function withoutFollowers(errors: readonly YAMLError[]): YAMLError[] {
  const trap = Math.min(...errors.filter((error) => rank(error) === 0).map((error) => error.pos[0]));
  const isNoise = ({ code, pos }: YAMLError): boolean =>
    pos[0] > trap && (code === 'BAD_INDENT' || code === 'UNEXPECTED_TOKEN');
  return errors.filter((error) => !isNoise(error));
}

/** The trap itself before what follows from it. */
function rank(error: YAMLError): number {
  return error.code === 'BAD_ALIAS' || error.code === 'TAB_AS_INDENT' ? 0 : 1;
}

function aliasStart(text: string, start: number, offset: number): number {
  const star = text.lastIndexOf('*', offset);
  return star >= start ? star : offset;
}

function explain(error: YAMLError, line: string): readonly [message: string, remedy: string | null] {
  if (error.code === 'BAD_ALIAS') {
    const name = /\*[^\s:,{}[\]]*/.exec(line)?.[0] ?? '*';
    return [`Cannot read YAML: "${name}" is not quoted, and "*" begins an alias`, `quote it: "${name}":`];
  }
  if (error.code === 'TAG_RESOLVE_FAILED') {
    const tag = /![^\s,{}[\]]*/.exec(line)?.[0] ?? '!';
    return [`Cannot read YAML: "${tag}" is not quoted, and "!" begins a tag`, 'quote the value'];
  }
  const trap = TRAPS[error.code];
  if (trap !== undefined) return trap;
  const template = /\$?\{[\w.:-]+\}/.exec(line)?.[0];
  if (template !== undefined) {
    return [
      `Cannot read YAML: "${template}" is not quoted, and "{" begins a map`,
      `quote the value that holds "${template}"`,
    ];
  }
  return [`Cannot read YAML: ${lowerFirst(error.message.split('\n')[0] ?? '')}`, quoteRemedy(line)];
}

function lowerFirst(text: string): string {
  return text.slice(0, 1).toLowerCase() + text.slice(1).replace(/\.$/, '');
}

function quoteRemedy(line: string): string | null {
  if (/\[[0-9a-f:]*:[0-9a-f:]*\]/i.test(line)) return 'quote the value: brackets begin a list in YAML';
  if (/(?:^|[\s:[{,-])[@`%&!|>]/.test(line)) return 'quote the value';
  return null;
}
