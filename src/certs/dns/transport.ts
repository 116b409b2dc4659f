/** Sends one DNS message and waits for its answer: UDP with a second try and TCP for what was cut, or TCP at once. */
import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { connect, isIPv6 } from 'node:net';
import { DnsMessageError, type DnsMessage, readMessage, writeQuestion } from './message.ts';

export interface DnsServer {
  readonly address: string;
  readonly port: number;
}

export interface Ask {
  readonly name: string;
  readonly type: number;
  readonly recursion: boolean;
}

/** Asks one server one question. Rejects with the reason where no answer comes. */
export type AskServer = (server: DnsServer, question: Ask, signal: AbortSignal) => Promise<DnsMessage>;

const UDP_TRIES = 2;

export function createAskServer({ timeoutMs }: { readonly timeoutMs: number }): AskServer {
  return async (server, question, signal) => {
    const id = randomInt(65_536);
    const bytes = writeQuestion({ ...question, id });
    const isAnswer = (message: DnsMessage): boolean => answersTo(message, id, question);
    const answer = await askByUdp(server, bytes, isAnswer, { timeoutMs, signal });
    if (!answer.isTruncated) return answer;
    const whole = readMessage(await exchangeTcp(server, bytes, { timeoutMs, signal }));
    if (!isAnswer(whole)) throw new DnsMessageError('the answer is to another question');
    return whole;
  };
}

/** Who guesses the port has to guess the id and the question as well. */
function answersTo(message: DnsMessage, id: number, { name, type }: Ask): boolean {
  const [question, ...more] = message.questions;
  return (
    message.isResponse && message.id === id && more.length === 0 && question?.name === name && question.type === type
  );
}

interface Waiting {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

async function askByUdp(
  server: DnsServer,
  bytes: Buffer,
  isAnswer: (message: DnsMessage) => boolean,
  { timeoutMs, signal }: Waiting,
): Promise<DnsMessage> {
  signal.throwIfAborted();
  // Connected, so that the kernel takes datagrams of this server alone.
  const socket = createSocket(isIPv6(server.address) ? 'udp6' : 'udp4');
  const { promise, resolve, reject } = Promise.withResolvers<DnsMessage>();
  const abort = (): void => reject(signal.reason as Error);
  signal.addEventListener('abort', abort);
  let tries = 0;
  const send = (): void => {
    if (tries === UDP_TRIES) reject(new Error(`no answer within ${timeoutMs / 1000} s`));
    else if (tries++ < UDP_TRIES) socket.send(bytes, (error) => error && reject(error));
  };
  const timer = setInterval(send, timeoutMs / UDP_TRIES);
  socket.on('error', reject);
  socket.on('message', (datagram: Buffer) => {
    try {
      const message = readMessage(datagram);
      if (isAnswer(message)) resolve(message);
    } catch {
      // Not an answer of this server, or one that cannot be read: the time limit decides.
    }
  });
  try {
    socket.connect(server.port, server.address, send);
    return await promise;
  } finally {
    clearInterval(timer);
    signal.removeEventListener('abort', abort);
    socket.close();
  }
}

const LONGEST_MESSAGE = 65_535;

/** RFC 1035 section 4.2.2: each message behind its length. */
export async function exchangeTcp(server: DnsServer, bytes: Buffer, { timeoutMs, signal }: Waiting): Promise<Buffer> {
  signal.throwIfAborted();
  const length = Buffer.alloc(2);
  length.writeUInt16BE(bytes.length);
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const socket = connect(server.port, server.address, () => void socket.write(Buffer.concat([length, bytes])));
  const timer = setTimeout(() => reject(new Error(`no answer within ${timeoutMs / 1000} s`)), timeoutMs);
  const abort = (): void => reject(signal.reason as Error);
  signal.addEventListener('abort', abort);
  let received = Buffer.alloc(0);
  socket.on('error', reject);
  socket.on('close', () => reject(new Error('it closed the connection without an answer')));
  socket.on('data', (chunk: Buffer) => {
    received = Buffer.concat([received, chunk]);
    if (received.length > LONGEST_MESSAGE + 2)
      reject(new DnsMessageError('the answer is longer than a message can be'));
    if (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0))
      resolve(received.subarray(2, 2 + received.readUInt16BE(0)));
  });
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', abort);
    socket.destroy();
  }
}
