/**
 * How long a start takes until the first answer over TLS, and its CPU by then: the embedded default, some
 * starts one after the other, the first in a new data folder. Trees take turns.
 * Run: npm run bench:start -- before=../other after=.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'node:tls';
import { freePorts } from '../test/support/free-ports.ts';
import { cpuSeconds } from './support/process-cpu.ts';

const STARTS = 6;
const GIVE_UP_MS = 30_000;

interface Tree {
  readonly name: string;
  readonly dir: string;
  readonly data: string;
  readonly starts: { readonly ms: number; readonly cpuMs: number }[];
}

function isAnswered(port: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect({ port, host: '127.0.0.1', servername: 'whoami.localhost', rejectUnauthorized: false }, () =>
      socket.write(`GET / HTTP/1.1\r\nHost: whoami.localhost:${port}\r\nConnection: close\r\n\r\n`),
    );
    socket.once('data', () => {
      done(true);
      socket.destroy();
    });
    socket.on('error', () => done(false));
    socket.on('close', () => done(false));
  });
}

async function startOnce(tree: Tree): Promise<void> {
  const [port = 0] = await freePorts(1);
  const begin = performance.now();
  const args = ['run', '--data', tree.data, '--https', `127.0.0.1:${port}`];
  const child = spawn(join(resolve(tree.dir), 'bin/postern'), args, { stdio: 'ignore' });
  const ended = new Promise((done) => child.once('exit', done));
  while (!(await isAnswered(port))) {
    const isLost = child.exitCode !== null || performance.now() - begin > GIVE_UP_MS;
    if (isLost) throw new Error(`Cannot measure "${tree.name}": it did not answer`);
    await sleep(2);
  }
  tree.starts.push({ ms: performance.now() - begin, cpuMs: cpuSeconds([child.pid ?? 0]) * 1_000 });
  // Long enough for compiled code to be kept for the next start.
  if (tree.starts.length === 1) await sleep(4_000);
  child.kill('SIGTERM');
  await ended;
}

const given = process.argv.slice(2);
const trees = (given.length === 0 ? ['postern=.'] : given).map((argument): Tree => {
  const [name = '', dir = '.'] = argument.split('=');
  return { name, dir, data: mkdtempSync(join(tmpdir(), 'postern-start-')), starts: [] };
});
for (let turn = 0; turn < STARTS; turn++) for (const tree of trees) await startOnce(tree);
for (const { name, starts, data } of trees) {
  const list = (pick: (one: Tree['starts'][number]) => number): string =>
    starts.map((one) => pick(one).toFixed(0)).join(' ');
  console.log(`${name.padEnd(10)} first answer after ${list(({ ms }) => ms)} ms, CPU ${list(({ cpuMs }) => cpuMs)} ms`);
  rmSync(data, { recursive: true, force: true });
}
