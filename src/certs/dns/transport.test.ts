import assert from 'node:assert/strict';
import { createSocket, type Socket } from 'node:dgram';
import { createServer, type Server } from 'node:net';
import { test, type TestContext } from 'node:test';
import { TYPE, words, writeName, writeTxt } from './message.ts';
import { createAskServer, type DnsServer, exchangeTcp } from './transport.ts';

const signal = new AbortController().signal;
const QUESTION = { name: 'a.example', type: TYPE.TXT, recursion: false };
const ask = createAskServer({ timeoutMs: 4_000 });
const impatient = createAskServer({ timeoutMs: 400 });

/** The answer to a question, changed at will. */
function answerTo(
  question: Buffer,
  { id = question.readUInt16BE(0), flags = 0x84_00, name = 'a.example', text = 'v' } = {},
): Buffer {
  const data = writeTxt(text);
  const record = Buffer.concat([writeName(name), words(TYPE.TXT, 1, 0, 60, data.length), data]);
  const isCut = (flags & 0x02_00) !== 0;
  return Buffer.concat([
    words(id, flags, 1, isCut ? 0 : 1, 0, 0),
    writeName(name),
    words(TYPE.TXT, 1),
    ...(isCut ? [] : [record]),
  ]);
}

interface Script {
  /** What datagrams come back for the nth one that arrives. */
  readonly udp: (question: Buffer, nth: number) => readonly Buffer[];
  /** The chunks that come back on a connection, after which it closes. */
  readonly tcp?: (question: Buffer) => readonly Buffer[];
}

async function serve(t: TestContext, { udp, tcp = () => [] }: Script, address = '127.0.0.1'): Promise<DnsServer> {
  const server: Server = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', async (bytes: Buffer) => {
      for (const chunk of tcp(bytes.subarray(2))) {
        socket.write(chunk);
        await new Promise((resolve) => void setImmediate(resolve));
      }
      socket.end();
    });
  });
  await new Promise<void>((resolve) => void server.listen(0, address, resolve));
  const { port } = server.address() as { port: number };
  const socket: Socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  let nth = 0;
  socket.on('message', (question, from) => {
    for (const reply of udp(question, ++nth)) socket.send(reply, from.port, from.address);
  });
  await new Promise<void>((resolve) => void socket.bind(port, address, resolve));
  t.after(() => {
    socket.close();
    server.close();
  });
  return { address, port };
}

function framed(message: Buffer): Buffer {
  return Buffer.concat([words(message.length), message]);
}

async function textOf(server: DnsServer): Promise<string | null | undefined> {
  return (await ask(server, QUESTION, signal)).answers[0]?.text;
}

test('createAskServer() asks by UDP, over IPv4 and IPv6', async (t) => {
  assert.equal(await textOf(await serve(t, { udp: (question) => [answerTo(question)] })), 'v');
  assert.equal(await textOf(await serve(t, { udp: (question) => [answerTo(question)] }, '::1')), 'v');
});

test('createAskServer() passes over what is not the answer: another id, another question, no answer, garbage', async (t) => {
  const wrong = (question: Buffer): Buffer[] => [
    answerTo(question, { id: question.readUInt16BE(0) ^ 1, text: 'forged' }),
    answerTo(question, { name: 'b.example', text: 'forged' }),
    answerTo(question, { flags: 0x04_00, text: 'forged' }),
    Buffer.from('garbage'),
    Buffer.alloc(0),
  ];
  assert.equal(await textOf(await serve(t, { udp: (question) => [...wrong(question), answerTo(question)] })), 'v');
});

test('createAskServer() asks again where the first datagram was lost', async (t) => {
  assert.equal(await textOf(await serve(t, { udp: (question, nth) => (nth === 1 ? [] : [answerTo(question)]) })), 'v');
});

test('createAskServer() asks by TCP for what was cut, however it is split', async (t) => {
  const long = 'x'.repeat(3000);
  const udp = (question: Buffer): Buffer[] => [answerTo(question, { flags: 0x86_00 })];
  const tcp = (question: Buffer): Buffer[] => {
    const whole = framed(answerTo(question, { text: long }));
    return [whole.subarray(0, 1), whole.subarray(1, 7), whole.subarray(7)];
  };
  assert.equal(await textOf(await serve(t, { udp, tcp })), long);
});

test('createAskServer() believes no answer by TCP to another question', async (t) => {
  const udp = (question: Buffer): Buffer[] => [answerTo(question, { flags: 0x86_00 })];
  const server = await serve(t, { udp, tcp: (question) => [framed(answerTo(question, { name: 'b.example' }))] });
  await assert.rejects(ask(server, QUESTION, signal), /to another question/);
});

test('createAskServer() gives up after its time, and at once when told to', async (t) => {
  const server = await serve(t, { udp: () => [] });
  await assert.rejects(impatient(server, QUESTION, signal), /no answer within 0\.4 s/);
  const controller = new AbortController();
  const reason = new Error('withdrawn');
  setTimeout(() => controller.abort(reason), 20);
  await assert.rejects(ask(server, QUESTION, controller.signal), (error) => error === reason);
});

test('createAskServer() tells a port where nobody listens from silence', async (t) => {
  const server = await serve(t, { udp: () => [] });
  const socket = createSocket('udp4');
  await new Promise<void>((resolve) => void socket.bind(0, '127.0.0.1', resolve));
  const { port } = socket.address();
  await new Promise<void>((resolve) => void socket.close(resolve));
  await assert.rejects(ask({ ...server, port }, QUESTION, signal), /ECONNREFUSED/);
});

test('exchangeTcp() tells a connection that closes, and waits for no answer for ever', async (t) => {
  const closing = await serve(t, { udp: () => [] });
  await assert.rejects(
    exchangeTcp(closing, Buffer.from('x'), { timeoutMs: 2000, signal }),
    /closed the connection without an answer/,
  );
  const half = await serve(t, { udp: () => [], tcp: () => [Buffer.of(0, 9, 1)] });
  await assert.rejects(
    exchangeTcp(half, Buffer.from('x'), { timeoutMs: 2000, signal }),
    /closed the connection without an answer/,
  );
});
