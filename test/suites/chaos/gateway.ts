/** The gateway under test: started, killed and started again on one folder, with all that it ever printed. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runOperation } from '../../../src/cli/operation.ts';
import { askControl } from '../../../src/control/control-socket.ts';
import { startPostern, type PosternProcess } from '../../support/postern.ts';
import { until } from '../../support/programs.ts';
import { writeDocument, type Ports, type World } from './world.ts';
import type { Doc } from './model.ts';

/** Loaded into every thread: the first edge worker that finds the file ends as it says. */
const DEFECTS = `
import { readFileSync, unlinkSync } from 'node:fs';
import { isMainThread, threadName } from 'node:worker_threads';
if (!isMainThread && threadName.startsWith('edge ')) {
  setInterval(() => {
    const file = process.env.DEFECTS + '/defect';
    let kind;
    try {
      kind = readFileSync(file, 'utf8');
      unlinkSync(file);
    } catch {
      return;
    }
    if (kind === 'exit') process.exit(7);
    throw new Error('defect by test');
  }, 20).unref();
}
`;

export interface LogRow {
  readonly kind?: string;
  readonly host?: string;
  readonly path?: string;
  readonly status?: number;
  readonly who?: string;
  readonly decision?: string;
  readonly reason?: string;
}

export class Gateway {
  readonly dir: string = mkdtempSync(join(tmpdir(), 'postern-chaos-'));
  readonly #world: World;
  readonly #domain: string | null;
  /** What those printed that were killed. */
  #before = '';
  #process: PosternProcess | null = null;
  #ports: Ports | null = null;
  #ends = 0;

  constructor(world: World, domain: string | null) {
    this.#world = world;
    this.#domain = domain;
  }

  get process(): PosternProcess {
    if (this.#process === null) throw new Error('The gateway does not run');
    return this.#process;
  }

  get port(): number {
    return this.#ports?.https ?? 0;
  }

  url(host: string, path = '/'): string {
    return `https://${host}:${this.port}${path}`;
  }

  async start(doc: Doc): Promise<void> {
    const ports = this.#ports;
    this.#process = await startPostern({
      keepDir: this.dir,
      files: { 'defects.mjs': DEFECTS },
      preload: 'defects.mjs',
      ...(ports === null ? {} : { ports }),
      document: (given) => {
        this.#ports = given;
        return writeDocument(this.#world, doc, given, this.#domain);
      },
    });
  }

  /** As by a power cut: nothing is said or written on the way out. */
  async kill(): Promise<void> {
    await this.process.close('SIGKILL');
    this.#before += this.process.output();
    this.#process = null;
  }

  async reload(doc: Doc): Promise<void> {
    this.process.writeConfig(writeDocument(this.#world, doc, this.process, this.#domain));
    const answer = (await askControl(this.process.dataDir, 'reload', {})) as { ok: boolean; printed: string };
    if (!answer.ok) throw new Error(`The document was refused: ${answer.printed}`);
  }

  order<K extends Parameters<typeof runOperation>[1]>(
    operation: K,
    input: unknown,
  ): ReturnType<typeof runOperation<K>> {
    return runOperation<K>(this.process.dataDir, operation, input);
  }

  async explain(url: string, as: string): Promise<string> {
    const input = { url, as, groups: [], roles: [], ip: null, method: 'GET', headers: [], clientCertificate: null };
    const { json } = (await askControl(this.process.dataDir, 'explain', input)) as {
      json: { kind: string; decision?: { kind: string } };
    };
    return json.decision?.kind ?? json.kind;
  }

  /** Resolves when another worker is in its place. */
  async endWorker(kind: 'exit' | 'throw'): Promise<void> {
    const from = this.process.output().length;
    writeFileSync(join(this.dir, 'defect'), kind);
    const isDone = kind === 'exit' ? 'Edge worker is started again' : 'defect by test';
    await until(() => this.process.output().includes(isDone, from), 'a worker ends');
    this.#ends++;
  }

  get workerEnds(): number {
    return this.#ends;
  }

  output(): string {
    return this.#before + (this.#process?.output() ?? '');
  }

  async close(): Promise<number | null> {
    const code = this.#process === null ? null : await this.#process.close();
    this.#before += this.#process?.output() ?? '';
    this.#process = null;
    rmSync(this.dir, { recursive: true, force: true });
    return code;
  }
}

export function rowsOf(output: string): LogRow[] {
  return output.split('\n').flatMap((line) => {
    if (!line.startsWith('{"time"')) return [];
    try {
      return [JSON.parse(line) as LogRow];
    } catch {
      return [];
    }
  });
}
