/** A Redis and its sentinel, as far as a client that looks for the master needs them, in an order of events of one's own. */
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';

type Answer = (words: readonly string[], socket: Socket) => string | Promise<string>;

export interface Twin {
  readonly port: number;
  readonly close: () => Promise<void>;
}

export interface SentinelTwin extends Twin {
  /** How many listen for a failover. */
  readonly listeners: () => number;
  /** From the next question on: first the failover is told, then the question is answered, with the new master. */
  readonly failOver: (port: number) => void;
}

export function startMasterTwin(): Promise<Twin> {
  const subscribers = new Set<Socket>();
  return startTwin((words, socket) => {
    const [command = '', channel = '', text = ''] = words;
    if (command === 'info') return bulk('role:master\r\nloading:0\r\n');
    if (command === 'get') return '$-1\r\n';
    if (command === 'subscribe') {
      subscribers.add(socket);
      return array(bulk('subscribe'), bulk(channel), ':1\r\n');
    }
    if (command !== 'publish') return '+OK\r\n';
    for (const each of subscribers) each.write(array(bulk('message'), bulk(channel), bulk(text)));
    return ':1\r\n';
  });
}

export async function startSentinelTwin(masterPort: number): Promise<SentinelTwin> {
  const subscribers = new Set<Socket>();
  let port = masterPort;
  let next: number | null = null;
  const twin = await startTwin(async (words, socket) => {
    const [command = '', what = ''] = words;
    if (command === 'subscribe') {
      subscribers.add(socket.once('close', () => subscribers.delete(socket)));
      return array(bulk('subscribe'), bulk(what), ':1\r\n');
    }
    if (command !== 'sentinel') return '+OK\r\n';
    if (what !== 'get-master-addr-by-name') return '*0\r\n';
    if (next !== null) {
      port = next;
      for (const each of subscribers) each.write(array(bulk('message'), bulk('+switch-master'), bulk('main')));
      // Until it is heard.
      await new Promise((done) => {
        setTimeout(done, 200);
      });
    }
    return array(bulk('127.0.0.1'), bulk(String(port)));
  });
  return { ...twin, listeners: () => subscribers.size, failOver: (to) => void (next = to) };
}

async function startTwin(answer: Answer): Promise<Twin> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.once('close', () => sockets.delete(socket)).on('error', () => {}));
    let rest = '';
    let last = Promise.resolve();
    socket.on('data', (bytes) => {
      const { commands, left } = parse(rest + bytes.toString('latin1'));
      rest = left;
      for (const words of commands)
        last = last.then(async () => {
          const text = await answer(words, socket);
          if (socket.writable) socket.write(text);
        });
    });
  });
  await new Promise<void>((done) => {
    server.listen(0, '127.0.0.1', done);
  });
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((done) => server.close(done));
    },
  };
}

/** Commands are arrays of bulk strings. */
function parse(text: string): { readonly commands: string[][]; readonly left: string } {
  const commands: string[][] = [];
  let left = text;
  for (;;) {
    const lines = left.split('\r\n');
    const count = Number(lines[0]?.slice(1));
    // A line for how many there are, two for each, and what follows the last.
    if (lines.length < 2 * count + 2) return { commands, left };
    const words = lines.slice(1, 2 * count + 1).filter((_, i) => i % 2 === 1);
    commands.push([(words[0] ?? '').toLowerCase(), ...words.slice(1)]);
    left = lines.slice(2 * count + 1).join('\r\n');
    if (left === '') return { commands, left };
  }
}

function bulk(text: string): string {
  return `$${text.length}\r\n${text}\r\n`;
}

function array(...parts: readonly string[]): string {
  return `*${parts.length}\r\n${parts.join('')}`;
}
