/** `postern config show` and `postern config schema`. */
import { documentJsonSchema } from '../config/json-schema.ts';
import { printDiagnostics } from '../config/print-diagnostics.ts';
import { showDocument } from '../config/show.ts';
import { fileSource } from '../control/document-source.ts';
import type { CheckOptions } from './check.ts';
import { isTerminal, print, printError } from './terminal.ts';

export function show(options: CheckOptions): void {
  const source = fileSource({
    config: options.config,
    ...(options.envFile !== undefined && { envFile: options.envFile }),
  });
  const { text, result } = source.read();
  const printed = printDiagnostics(result.diagnostics, {
    file: source.name,
    color: isTerminal(),
    ...(isTerminal() && { source: text }),
  });
  if (printed !== '') printError(printed);
  if (result.document === null) process.exitCode = 1;
  else print(showDocument(result.document, result.secrets).trimEnd());
}

export function schema(): void {
  print(JSON.stringify(documentJsonSchema(), null, 2));
}
