/** `postern policy diff OLD NEW --log FILE`: whose access a new document would change, by what really happened. */
import { existsSync, readFileSync } from 'node:fs';
import { PosternError } from '../core/errors.ts';
import { fileSource } from '../control/document-source.ts';
import { compileTable } from '../route/compile.ts';
import { createPolicyDiffer, readLogLine } from '../route/policy-diff.ts';
import type { KnownPerson, PolicyDiff, PolicyDiffer, Verdict } from '../route/policy-diff.ts';
import type { RoutingTable } from '../route/table.ts';
import { openLog } from './log-lines.ts';
import { runOperation } from './operation.ts';
import { print, printError, printTable } from './terminal.ts';
import { printable } from '../policy/explain.ts';

export interface PolicyDiffOptions {
  readonly log: readonly string[];
  readonly envFile?: string;
  readonly people?: string;
  readonly data: string;
  readonly json?: true;
}

export async function diffPolicies(before: string, after: string, options: PolicyDiffOptions): Promise<void> {
  if (options.log.length === 0) throw refusal('give --log FILE, the access log as JSON lines; "-" is standard input');
  const tables = { before: tableOf(before, options.envFile), after: tableOf(after, options.envFile) };
  const differ = createPolicyDiffer(tables, await peopleOf(options));
  const damaged: Damaged = { lines: 0, first: null };
  const cut: Cut[] = [];
  for (const file of options.log) await replay(file, differ, damaged, cut);
  const diff = differ.result();
  // Nothing that was replayed is no proof of anything.
  if (diff.requests === 0 && cut[0] !== undefined) throw refusal(`no whole request is in the log: ${cutText(cut[0])}`);
  if (diff.requests === 0 && damaged.first !== null)
    throw refusal(
      `no line of the log can be read, the first is ${damaged.first}; it is written as JSON with "log: { format: json }"`,
    );
  if (options.json === true) print(JSON.stringify({ ...diff, damaged, cut }, null, 2));
  else show(diff, damaged);
  for (const one of cut) printError(`postern: Not the whole log was replayed: ${cutText(one)}`);
  // As diff does: there is something to look at.
  if (diff.changes.length > 0) process.exitCode = 1;
}

interface Damaged {
  lines: number;
  /** FILE:LINE. */
  first: string | null;
}

/** A packed log that ends in its middle. */
interface Cut {
  readonly log: string;
  /** So many lines before it were whole. */
  readonly afterLine: number;
}

function cutText({ log, afterLine }: Cut): string {
  return `"${log}" ends in the middle of what is packed, after line ${afterLine}; give it once more when it is whole`;
}

async function replay(file: string, differ: PolicyDiffer, damaged: Damaged, cut: Cut[]): Promise<void> {
  const log = file === '-' ? 'standard input' : file;
  const { lines, isCut } = openLog(file);
  let number = 0;
  let last: ReturnType<typeof readLogLine> = 'other';
  const count = (): void => {
    if (last !== 'damaged') return;
    damaged.lines++;
    damaged.first ??= `${log}:${number}`;
  };
  try {
    for await (const line of lines) {
      count();
      number++;
      last = readLogLine(line);
      if (typeof last === 'object') differ.add(last);
      // Left out, it would read as if nothing changed for whoever came in there.
      if (last === 'settings') throw ofForwardAuth(`${log}:${number}`);
    }
  } catch (error) {
    if (error instanceof PosternError) throw error;
    throw refusal(`"${file}" cannot be read: ${(error as Error).message}`);
  }
  // The line in which it is cut is half a line, and no damaged one.
  if (!isCut()) count();
  else cut.push({ log, afterLine: last === 'damaged' ? number - 1 : number });
}

function tableOf(config: string, envFile: string | undefined): RoutingTable {
  const { document, diagnostics } = fileSource({ config, ...(envFile !== undefined && { envFile }) }).read().result;
  if (document !== null) return compileTable(document).table;
  throw refusal(`"${config}" has problems; first: ${diagnostics[0]?.message ?? 'unknown'}; see "postern check"`);
}

/** The log has names; groups come from a file, or from whom Postern knows now. */
async function peopleOf({ people, data }: PolicyDiffOptions): Promise<readonly KnownPerson[]> {
  if (people !== undefined) return readPeople(people);
  return existsSync(data) ? runOperation(data, 'people.known', {}) : [];
}

function readPeople(file: string): readonly KnownPerson[] {
  let list: unknown;
  try {
    list = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw refusal(`"${file}" cannot be read as JSON: ${(error as Error).message}`);
  }
  if (Array.isArray(list) && list.every(isPerson)) return list;
  const example =
    '[{ "provider": "local", "name": "alice", "groups": ["ops"] }], with "roles" and "email" where rules ask';
  throw refusal(`"${file}" is not a list such as ${example}`);
}

function isPerson(value: unknown): value is KnownPerson {
  if (typeof value !== 'object' || value === null) return false;
  const { provider, name, groups, roles = [], email = null } = value as Record<string, unknown>;
  if (typeof provider !== 'string' || typeof name !== 'string') return false;
  return isTexts(groups) && isTexts(roles) && (email === null || typeof email === 'string');
}

function isTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every((one) => typeof one === 'string');
}

function show({ requests, changes, unclear }: PolicyDiff, damaged: Damaged): void {
  if (changes.length === 0) print(`No change for the ${requests} requests of the log`);
  else {
    const rows = changes.map((one) => [
      one.who === '-' ? '(nobody)' : one.who,
      one.route,
      text(one.before),
      text(one.after),
      String(one.requests),
      one.example,
    ]);
    printTable([['WHO', 'ROUTE', 'BEFORE', 'AFTER', 'REQUESTS', 'FOR EXAMPLE'], ...rows]);
  }
  if (damaged.first !== null)
    print(
      `Damaged: ${damaged.lines} ${damaged.lines === 1 ? 'line was' : 'lines were'} left out; the first is ${damaged.first}`,
    );
  const count = unclear.reduce((sum, one) => sum + one.requests, 0);
  if (count === 0) return;
  const some = unclear
    .slice(0, 5)
    .map((one) => `${one.who === '-' ? '(nobody)' : one.who.slice(0, 100)} (${one.requests})`);
  print(
    printable(
      `Unclear: ${count} requests that the old document decides otherwise than the log says, since a group, certificate or header of then is not known: ${some.join(', ')}`,
    ),
  );
}

function text({ outcome, by }: Verdict): string {
  return `${outcome} (${by})`;
}

function ofForwardAuth(place: string): PosternError {
  const what = 'a line of "postern forward-auth" or "guard", whose settings are no document';
  return refusal(`${place} is ${what}; give the log of "postern run"`);
}

function refusal(message: string): PosternError {
  return new PosternError('OPERATION_REFUSED', `Cannot compare: ${message}`);
}
