/** Load generators and what they counted. Their own count is held against the app's in the suites. */
import { execFile } from 'node:child_process';

export interface Load {
  readonly requests: number;
  /** Answers that are no 2xx, and requests that an open connection did not answer. */
  readonly failed: number;
  /** Connections that could not be opened. */
  readonly refused: number;
  readonly output: string;
}

export interface LoadOptions {
  readonly url: string;
  readonly seconds: number;
  readonly connections: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/** HTTP/1.1 with keep-alive: every connection has one request under way at any time. */
export async function runWrk(options: LoadOptions): Promise<Load> {
  const { url, seconds, connections } = options;
  const args = ['-t1', `-c${connections}`, `-d${seconds}s`, '--timeout', '20s', ...headerArgs(options), url];
  const output = await run('wrk', args);
  const [connect = 0, read = 0, write = 0, timeout = 0] = numbersIn(
    /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(output),
  );
  const [other = 0] = numbersIn(/Non-2xx or 3xx responses: (\d+)/.exec(output));
  const [requests = 0] = numbersIn(/(\d+) requests in/.exec(output));
  return { requests, failed: read + write + timeout + other, refused: connect, output };
}

/** HTTP/2, eight streams at a time on each connection. */
export async function runH2load(options: LoadOptions): Promise<Load> {
  const { url, seconds, connections } = options;
  const args = ['-c', `${connections}`, '-m', '8', '-D', `${seconds}`, ...headerArgs(options), url];
  const output = await run('h2load', args);
  const [done = 0, succeeded = 0, failed = 0, errored = 0, timeout = 0] = numbersIn(
    /(\d+) done, (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout/.exec(output),
  );
  const [requests = 0, ...others] = numbersIn(/(\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx/.exec(output));
  const isSame = done === succeeded && succeeded === requests && others.every((one) => one === 0);
  return { requests, failed: failed + errored + timeout + (isSame ? 0 : 1), refused: 0, output };
}

function headerArgs({ headers = {} }: LoadOptions): string[] {
  return Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`]);
}

function numbersIn(match: RegExpExecArray | null): number[] {
  return (match ?? []).slice(1).map(Number);
}

function run(command: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(command, [...args], (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`Cannot run "${command}": ${error.message}\n${stderr}`));
    });
  });
}
