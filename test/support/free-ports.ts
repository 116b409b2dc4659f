/**
 * Ports for programs that are told theirs before they listen. Below the range from which the kernel takes the
 * ports of connections and of whoever listens on port 0 (32768 and up on Linux): there, under load in another
 * suite, a port that was free a moment ago was taken before its program was up. And out of a block that this
 * process has for itself, so that no other test file is given one that is about to be used, or used again.
 */
import { createServer } from 'node:net';
import type { Server } from 'node:net';

const FIRST = 10_000;
const BLOCK = 100;
const BLOCKS = 220;

/** The first port of each block of this process is listened on for as long as the process lives. */
const marks: Server[] = [];
let next = 0;
let end = 0;

export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  while (ports.length < count) {
    while (next === end) await takeBlock();
    const port = next++;
    const probe = await listenOn(port, '0.0.0.0');
    if (probe === null) continue;
    await new Promise((done) => probe.close(done));
    ports.push(port);
  }
  return ports;
}

async function takeBlock(): Promise<void> {
  for (let tried = 0; tried < BLOCKS; tried++) {
    const first = FIRST + ((process.pid + tried) % BLOCKS) * BLOCK;
    const mark = await listenOn(first, '127.0.0.1');
    if (mark === null) continue;
    marks.push(mark.unref());
    [next, end] = [first + 1, first + BLOCK];
    return;
  }
  throw new Error(`No block of ports is free between ${FIRST} and ${FIRST + BLOCKS * BLOCK}`);
}

/** On all addresses for a port that is given away, as a program may ask for any. */
async function listenOn(port: number, host: string): Promise<Server | null> {
  const server = createServer();
  return new Promise((done) => {
    server.once('error', () => done(null));
    server.listen(port, host, () => done(server));
  });
}
