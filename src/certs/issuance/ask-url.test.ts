import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import { askUrl } from './ask-url.ts';

async function serve(t: TestContext, answer: RequestListener): Promise<string> {
  const server = createServer(answer).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/ask`;
}

test('askUrl() takes 2xx for yes and 4xx for no, and everything else for no answer', async (t) => {
  const url = await serve(t, (req, res) => {
    const name = new URL(req.url ?? '', 'http://x').searchParams.get('domain') ?? '';
    res.writeHead(Number(name.split('.')[0]), { location: '/elsewhere' }).end();
  });
  const kinds = async (...statuses: readonly number[]): Promise<Set<string>> =>
    new Set(await Promise.all(statuses.map(async (one) => (await askUrl(url, `${one}.example.com`)).kind)));
  assert.deepEqual(await kinds(200, 204, 299), new Set(['yes']));
  assert.deepEqual(await kinds(400, 401, 403, 404, 410), new Set(['no']));
  assert.deepEqual(await kinds(301, 302, 307, 429, 500, 503), new Set(['unavailable']));
});

test('askUrl() says why there is no answer', async (t) => {
  const why = async (url: string): Promise<string> => {
    const answer = await askUrl(url, 'a.example.com');
    return answer.kind === 'unavailable' ? answer.why : answer.kind;
  };
  assert.equal(await why(await serve(t, (_, res) => void res.writeHead(503).end())), 'it answers 503');
  assert.match(await why(await serve(t, (_, res) => void res.writeHead(301).end())), /301, which is not followed/);
  const silent = await serve(t, (req) => void req.socket.destroy());
  assert.match(await why(silent), /closed/);
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  assert.equal(await why(`http://127.0.0.1:${port}/ask`), 'nobody listens there');
  // The words of fetch() hold the URL.
  assert.equal(await why(`http://gate:s3cret@127.0.0.1:${port}/ask`), 'it cannot be asked');
});
