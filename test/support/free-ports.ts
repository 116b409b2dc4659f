/**
 * Ports for programs that are told theirs before they listen. Below the range from which the kernel takes the
 * ports of connections and of whoever listens on port 0 (32768 and up on Linux): there, under load in another
 * suite, a port that was free a moment ago was taken before its program was up.
 */
import { createServer } from 'node:net';

const FIRST = 10_000;
const LAST = 32_000;
const TRIES = 200;

/** Those that this process has given away. */
const given = new Set<number>();

export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  for (let tries = 0; ports.length < count; tries++) {
    if (tries === TRIES) throw new Error(`No free ports between ${FIRST} and ${LAST}`);
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST));
    if (given.has(port) || !(await isFree(port))) continue;
    given.add(port);
    ports.push(port);
  }
  return ports;
}

/** On all addresses, as a program may ask for any. */
async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((done) => {
    server.once('error', () => done(false));
    server.listen(port, '0.0.0.0', () => void server.close(() => done(true)));
  });
}
