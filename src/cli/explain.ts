/** `postern explain URL`: which host, route and rules decide, and why. Asks the running Postern, or reads a document. */
import { PosternError } from '../core/errors.ts';
import { askControl } from '../control/control-socket.ts';
import { fileSource } from '../control/document-source.ts';
import { noteOnService, readIdentity } from '../control/explained-identity.ts';
import { explain as explainWith, withNote } from '../control/operations.ts';
import { compileTable } from '../route/compile.ts';
import type { ExplainAnswer, ExplainInput } from '../control/operations.ts';
import { print } from './terminal.ts';

export interface ExplainOptions {
  readonly as: string;
  readonly group: readonly string[];
  readonly role: readonly string[];
  readonly ip?: string;
  readonly method: string;
  readonly header: readonly string[];
  readonly clientCertificate?: string;
  readonly config?: string;
  readonly envFile?: string;
  readonly json?: true;
  readonly data: string;
}

export async function explain(url: string, options: ExplainOptions): Promise<void> {
  const input: ExplainInput = {
    url,
    as: options.as,
    groups: options.group,
    roles: options.role,
    ip: options.ip ?? null,
    method: options.method,
    headers: options.header,
    clientCertificate: options.clientCertificate ?? null,
  };
  const answer =
    options.config === undefined
      ? await askRunning(options.data, input)
      : explainByFile(options.config, options.envFile, input);
  print(options.json === true ? JSON.stringify(answer.json, null, 2) : answer.text.trimEnd());
}

async function askRunning(dataDir: string, input: ExplainInput): Promise<ExplainAnswer> {
  try {
    return (await askControl(dataDir, 'explain', input)) as ExplainAnswer;
  } catch (error) {
    if (!(error instanceof PosternError) || error.code !== 'CONTROL_UNAVAILABLE') throw error;
    throw new PosternError(
      'CONTROL_UNAVAILABLE',
      `${error.message}; give --config FILE to judge by a document`,
      {},
      error,
    );
  }
}

function explainByFile(config: string, envFile: string | undefined, input: ExplainInput): ExplainAnswer {
  const source = fileSource({ config, ...(envFile !== undefined && { envFile }) });
  const { document, diagnostics } = source.read().result;
  if (document === null) {
    const [first] = diagnostics;
    throw new PosternError(
      'CONFIG_INVALID',
      `Cannot explain: "${config}" has problems; first: ${first?.message ?? 'unknown'}; see "postern check"`,
    );
  }
  const { table } = compileTable(document);
  const identity = readIdentity(input, table);
  const note = identity.kind === 'service' ? noteOnService(identity.name, document) : null;
  return withNote(explainWith(table, identity, input), note);
}
