/**
 * gRPC from end to end through the whole gateway to an app that speaks TLS, with grpc-js on both sides:
 * unary and streaming calls, trailers, errors, a deadline, and cancelling, which the app must hear of.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import * as grpc from '@grpc/grpc-js';
import { startPostern } from '../../support/postern.ts';
import type { PosternProcess } from '../../support/postern.ts';
import { until } from '../../support/programs.ts';
import { makeCertificate } from '../../transport-rig.ts';

const same = (value: Buffer): Buffer => value;
const method = (
  name: string,
  requestStream: boolean,
  responseStream: boolean,
): grpc.MethodDefinition<Buffer, Buffer> => ({
  path: `/postern.Suite/${name}`,
  requestStream,
  responseStream,
  requestSerialize: same,
  requestDeserialize: same,
  responseSerialize: same,
  responseDeserialize: same,
});
const SERVICE = {
  Echo: method('Echo', false, false),
  Fail: method('Fail', false, false),
  Count: method('Count', false, true),
  Sum: method('Sum', true, false),
  Chat: method('Chat', true, true),
  Sleep: method('Sleep', false, false),
  Endless: method('Endless', false, true),
};

const numberOf = (bytes: Buffer): number => Number(bytes.toString());

suite('gRPC to an app with TLS', () => {
  let dir = '';
  let server: grpc.Server;
  let postern: PosternProcess;
  let client: grpc.Client;
  const heard: string[] = [];
  const appPair = makeCertificate('/CN=app.internal', 'DNS:app.internal');
  const doorPair = makeCertificate('/CN=localhost', 'DNS:localhost');

  before(async () => {
    dir = mkdtempSync(join(tmpdir(), 'postern-grpc-'));
    const files = { 'app.pem': appPair.cert, 'cert.pem': doorPair.cert, 'key.pem': doorPair.key };
    for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text);
    server = new grpc.Server();
    server.addService(SERVICE, handlers(heard));
    const pair = { cert_chain: Buffer.from(appPair.cert), private_key: Buffer.from(appPair.key) };
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createSsl(null, [pair]), (error, bound) =>
        error === null ? resolve(bound) : reject(error),
      );
    });
    postern = await startPostern({
      document: ({ https, health }) => `version: 1
listen: { http: off, https: "127.0.0.1:${https}", health: "127.0.0.1:${health}" }
hosts:
  localhost:
    tls: { certificate: ${dir}/cert.pem, key: ${dir}/key.pem }
    to: "https://127.0.0.1:${port}"
    upstream_tls: { ca: ${dir}/app.pem, server_name: app.internal }
    allow: [public]
`,
    });
    client = new grpc.Client(`localhost:${postern.https}`, grpc.credentials.createSsl(Buffer.from(doorPair.cert)));
  });
  after(async () => {
    client?.close();
    await postern?.close();
    server?.forceShutdown();
    rmSync(dir, { recursive: true, force: true });
  });

  interface Outcome {
    readonly value: string | null;
    readonly code: number;
    readonly details: string;
    readonly metadata: grpc.Metadata;
    readonly trailers: grpc.Metadata;
  }

  const unary = (name: 'Echo' | 'Fail' | 'Sleep', data: string, options: grpc.CallOptions = {}): Promise<Outcome> =>
    new Promise((resolve) => {
      let metadata = new grpc.Metadata();
      let value: string | null = null;
      const sent = new grpc.Metadata();
      sent.set('x-sent', 'by the client');
      const call = client.makeUnaryRequest(
        SERVICE[name].path,
        same,
        same,
        Buffer.from(data),
        sent,
        options,
        (_e, answer) => {
          value = answer === undefined ? null : answer.toString();
        },
      );
      call.on('metadata', (one: grpc.Metadata) => (metadata = one));
      call.on('status', ({ code, details, metadata: trailers }: grpc.StatusObject) =>
        setImmediate(() => resolve({ value, code, details, metadata, trailers })),
      );
    });

  test('unary, with metadata before and trailers behind', async () => {
    const done = await unary('Echo', 'hello');
    assert.equal(done.value, 'hello for by the client');
    assert.equal(done.code, grpc.status.OK);
    assert.deepEqual(done.metadata.get('x-before'), ['yes']);
    assert.deepEqual(done.trailers.get('x-after'), ['yes']);
    assert.deepEqual(done.trailers.get('x-bytes-bin'), [Buffer.from([0, 255, 10])]);
  });

  test('an error of the app keeps its status, its message and its trailers', async () => {
    const done = await unary('Fail', '');
    assert.equal(done.code, grpc.status.FAILED_PRECONDITION);
    assert.equal(done.details, 'not now: ümläut, 100 %');
    assert.deepEqual(done.trailers.get('x-why'), ['because']);
  });

  test('streams to the client, from the client, and both ways', async () => {
    const counted: number[] = [];
    await new Promise<void>((done, fail) => {
      const call = client.makeServerStreamRequest(SERVICE.Count.path, same, same, Buffer.from('500'));
      call.on('data', (chunk: Buffer) => counted.push(numberOf(chunk)));
      call.on('error', fail);
      call.on('end', done);
    });
    assert.deepEqual(
      counted,
      Array.from({ length: 500 }, (_, i) => i),
    );

    const sum = await new Promise<number>((done, fail) => {
      const call = client.makeClientStreamRequest(SERVICE.Sum.path, same, same, (error, answer) =>
        error === null && answer !== undefined ? done(numberOf(answer)) : fail(error),
      );
      for (let i = 1; i <= 100; i++) call.write(Buffer.from(String(i)));
      call.end();
    });
    assert.equal(sum, 5_050);

    const chat = client.makeBidiStreamRequest(SERVICE.Chat.path, same, same);
    const answers: string[] = [];
    await new Promise<void>((done, fail) => {
      chat.on('error', fail);
      chat.on('end', done);
      chat.on('data', (chunk: Buffer) => {
        answers.push(chunk.toString());
        if (answers.length < 50) chat.write(Buffer.from(String(answers.length)));
        else chat.end();
      });
      chat.write(Buffer.from('0'));
    });
    assert.equal(answers.at(-1), 're 49');
  });

  test('a large message passes whole', async () => {
    const large = 'x'.repeat(3_000_000);
    assert.equal((await unary('Echo', large)).value, `${large} for by the client`);
  });

  test('a deadline ends the call on both sides', async () => {
    heard.length = 0;
    const done = await unary('Sleep', '', { deadline: Date.now() + 8_000 });
    assert.equal(done.code, grpc.status.DEADLINE_EXCEEDED);
    await until(() => heard.includes('sleep cancelled'), 'the app hears that nobody waits any more');
  });

  test('what the client cancels ends at the app', async () => {
    heard.length = 0;
    const call = client.makeServerStreamRequest(SERVICE.Endless.path, same, same, Buffer.from(''));
    const code = await new Promise<number>((done) => {
      let count = 0;
      call.on('data', () => {
        if (++count === 5) call.cancel();
      });
      call.on('error', (error: grpc.ServiceError) => done(error.code));
    });
    assert.equal(code, grpc.status.CANCELLED);
    await until(() => heard.includes('endless cancelled'), 'the app hears that the stream is cancelled');
  });
});

function handlers(heard: string[]): grpc.UntypedServiceImplementation {
  return {
    Echo(call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) {
      const before = new grpc.Metadata();
      before.set('x-before', 'yes');
      call.sendMetadata(before);
      const behind = new grpc.Metadata();
      behind.set('x-after', 'yes');
      behind.set('x-bytes-bin', Buffer.from([0, 255, 10]));
      done(null, Buffer.concat([call.request, Buffer.from(` for ${String(call.metadata.get('x-sent')[0])}`)]), behind);
    },
    Fail(_call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) {
      const metadata = new grpc.Metadata();
      metadata.set('x-why', 'because');
      done({ code: grpc.status.FAILED_PRECONDITION, details: 'not now: ümläut, 100 %', metadata });
    },
    Count(call: grpc.ServerWritableStream<Buffer, Buffer>) {
      for (let i = 0; i < numberOf(call.request); i++) call.write(Buffer.from(String(i)));
      call.end();
    },
    Sum(call: grpc.ServerReadableStream<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) {
      let sum = 0;
      call.on('data', (chunk: Buffer) => (sum += numberOf(chunk)));
      call.on('end', () => done(null, Buffer.from(String(sum))));
    },
    Chat(call: grpc.ServerDuplexStream<Buffer, Buffer>) {
      call.on('data', (chunk: Buffer) => call.write(Buffer.concat([Buffer.from('re '), chunk])));
      call.on('end', () => call.end());
    },
    Sleep(call: grpc.ServerUnaryCall<Buffer, Buffer>) {
      call.on('cancelled', () => heard.push('sleep cancelled'));
    },
    Endless(call: grpc.ServerWritableStream<Buffer, Buffer>) {
      const timer = setInterval(() => call.write(Buffer.from('more')), 20);
      call.on('cancelled', () => {
        clearInterval(timer);
        heard.push('endless cancelled');
      });
    },
  };
}
