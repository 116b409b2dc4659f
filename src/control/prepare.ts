/**
 * Everything that must be right before a document may go live: it loads, its routes and rules compile, its
 * certificates are good, its own tests pass. Collects every problem; starts and changes nothing.
 */
import { placeDiagnostic, printDiagnostics } from '../config/print-diagnostics.ts';
import { compileTableInTurns } from '../route/compile.ts';
import { runPolicyTests } from '../route/policy-tests.ts';
import type { Provisioned, TlsDocument } from '../certs/provision.ts';
import type { Document } from '../config/document.ts';
import { byPlace } from '../config/load.ts';
import type { PlacedDiagnostic } from '../config/load.ts';
import type { Diagnostic } from '../core/diagnostic.ts';
import type { RoutingTable } from '../route/table.ts';
import type { LoadedSource } from './document-source.ts';

export interface Prepared {
  readonly document: Document;
  readonly table: RoutingTable;
  readonly certificates: Provisioned;
}

export interface Preparation {
  /** Null where an error stands against it. */
  readonly prepared: Prepared | null;
  readonly diagnostics: readonly Diagnostic[];
  /** The diagnostics as people read them; "" for none. */
  readonly printed: string;
}

export type PrepareCertificates = (document: TlsDocument) => Promise<Provisioned>;

/** Long work on a document gives way to whoever else needs the thread after so much of it. */
const TURN_MS = 5;

export async function prepare(
  source: { readonly name: string; readonly read: () => LoadedSource | Promise<LoadedSource> },
  certificates: PrepareCertificates,
  color = false,
): Promise<Preparation> {
  const { text, result } = await source.read();
  const diagnostics: PlacedDiagnostic[] = [...result.diagnostics];
  const add = (found: readonly Diagnostic[]): void => {
    diagnostics.push(...found.map((one) => placeDiagnostic(one, result)));
  };
  const finish = (prepared: Prepared | null): Preparation => {
    diagnostics.sort(byPlace);
    const printed = printDiagnostics(diagnostics, { file: source.name, color, ...(color && { source: text }) });
    return { prepared: hasError(diagnostics) ? null : prepared, diagnostics, printed: printed.trimEnd() };
  };
  // What can be understood of a document with errors is checked further, so that all problems show at once.
  const document = result.document ?? result.draft;
  if (document === null) return finish(null);
  const compiled = await compileTableInTurns(document, TURN_MS);
  add(newAmong(compiled.diagnostics, result.diagnostics));
  const provisioned = await certificates(document);
  add(provisioned.diagnostics);
  if (result.document === null || hasError(diagnostics)) return finish(null);
  add(runPolicyTests(document, compiled.table));
  return finish({ document, table: compiled.table, certificates: provisioned });
}

/** Without those of which the loader has said already, and in more words, that the same place is wrong. */
function newAmong(found: readonly Diagnostic[], before: readonly Diagnostic[]): readonly Diagnostic[] {
  const errors = before.filter(({ severity }) => severity === 'error');
  const said = new Set(errors.map(({ path }) => JSON.stringify(path)));
  return found.filter(({ path }) => !said.has(JSON.stringify(path)));
}

function hasError(diagnostics: readonly Diagnostic[]): boolean {
  return diagnostics.some((diagnostic) => diagnostic.severity === 'error');
}
