/** What pages lead to is there: files, headings and pictures by relative links, and the commands that they name. */
import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';
import { test } from 'node:test';
import type { Command } from 'commander';
import { createProgram } from '../src/cli/program.ts';
import { printGuardHelp } from '../src/forward-auth/options/guard/guard-help.ts';
import { printHelp } from '../src/forward-auth/options/help.ts';

const ROOT = resolve(import.meta.dirname, '..');
const PAGES = ['*.md', 'docs/**/*.md', 'src/**/*.md', 'test/**/*.md', 'bench/**/*.md', 'deploy/**/*.md']
  .flatMap((glob) => globSync(glob, { cwd: ROOT }))
  .sort();

/** As code hosts make the anchor of a heading. */
function anchorOf(heading: string): string {
  const text = heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1').replaceAll(/[`*]/g, '');
  return text
    .trim()
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}_\- ]/gu, '')
    .replaceAll(' ', '-');
}

function withoutCode(text: string): string {
  return text.replaceAll(/^( *)```[\s\S]*?^\1```$/gm, '').replaceAll(/`[^`\n]*`/g, '');
}

for (const page of PAGES) {
  test(`${page}: each link leads somewhere`, () => {
    const text = withoutCode(readFileSync(resolve(ROOT, page), 'utf8'));
    for (const [, link = ''] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^(?:https?|mailto):/.test(link)) continue;
      const [path = '', anchor] = link.split('#', 2);
      const target = path === '' ? resolve(ROOT, page) : resolve(ROOT, dirname(page), path);
      assert.ok(existsSync(target), `${link} does not exist`);
      assert.ok(!relative(ROOT, target).startsWith('..'), `${link} leads out of the repository`);
      if (anchor === undefined) continue;
      const headings = [...readFileSync(target, 'utf8').matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => heading);
      assert.ok(headings.map(anchorOf).includes(anchor), `${link} is no heading`);
    }
  });
}

const program = createProgram('0.0.0');

/** Those that read their flags themselves. */
const OWN_FLAGS: ReadonlyMap<string, string> = new Map([
  ['forward-auth', printHelp()],
  ['guard', printGuardHelp()],
]);

/** Words behind "postern" in code: `bin/postern user add alice --group x`. */
function commandsOf(text: string): string[][] {
  const code = [
    ...[...text.matchAll(/^( *)```sh\n([\s\S]*?)^\1```$/gm)].flatMap(([, , block = '']) =>
      block.replaceAll('\\\n', ' ').split('\n'),
    ),
    ...[...withoutFences(text).matchAll(/`([^`\n]+)`/g)].map(([, span = '']) => span),
  ];
  return code.flatMap((line) => {
    const found = /(?:^|[ /(])postern ((?!postern )(?:[a-z][\w-]*|-).*)$/.exec(line.replace(/ # .*$/, ''));
    return found === null ? [] : [(found[1] ?? '').split(/[\s|;]+/).filter((word) => word !== '')];
  });
}

function withoutFences(text: string): string {
  return text.replaceAll(/^( *)```[\s\S]*?^\1```$/gm, '');
}

/** What is wrong with it, or null. */
function problemOf(words: readonly string[]): string | null {
  let command: Command = program;
  let at = 0;
  for (; at < words.length; at++) {
    const next = command.commands.find((one) => one.name() === words[at]);
    if (next === undefined) break;
    command = next;
  }
  if (command.commands.length > 0 && at < words.length && /^[a-z]/.test(words[at] ?? ''))
    return `there is no command "${words[at]}"`;
  const known = OWN_FLAGS.get(command.name());
  for (const word of words.slice(at)) {
    const flag = /^--[a-z][\w-]*/.exec(word)?.[0];
    if (flag === undefined || flag === '--help' || flag === '--version') continue;
    const isKnown = known === undefined ? command.options.some(({ long }) => long === flag) : known.includes(flag);
    if (!isKnown) return `"${command.name()}" has no "${flag}"`;
  }
  return null;
}

for (const page of PAGES) {
  const commands = commandsOf(readFileSync(resolve(ROOT, page), 'utf8'));
  if (commands.length === 0) continue;
  test(`${page}: each command of Postern is one, with these options`, () => {
    for (const words of commands) assert.equal(problemOf(words), null, `postern ${words.join(' ')}`);
  });
}

test('commandsOf() and problemOf() would tell of a command or an option that does not exist', () => {
  const text =
    'Try `bin/postern usr add ann`.\n\n```sh\nsudo bin/postern run --confg x   # no\npostern guard --too 3\n```\n';
  const commands = commandsOf(text);
  assert.deepEqual(commands.map(problemOf), [
    '"run" has no "--confg"',
    '"guard" has no "--too"',
    'there is no command "usr"',
  ]);
  assert.equal(problemOf(['user', 'add', 'ann', '--group', 'ops']), null);
  assert.ok(commandsOf(readFileSync(resolve(ROOT, 'README.md'), 'utf8')).length > 5);
});
