import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { serveFile } from './files.ts';
import { DISCARD } from '../wire/http1-response.ts';
import { FakeExchange, until } from './test-rig.ts';
import type { FakeRequest } from './test-rig.ts';

const base = mkdtempSync(join(tmpdir(), 'postern-files-'));
const root = join(base, 'root');
mkdirSync(join(root, 'sub', '.git'), { recursive: true });
mkdirSync(join(root, '.well-known'));
mkdirSync(join(base, 'outside'));
writeFileSync(join(base, 'outside', 'secret.txt'), 'secret');
writeFileSync(join(root, 'a b.txt'), 'hello world');
writeFileSync(join(root, 'index.html'), '<p>root');
writeFileSync(join(root, 'sub', 'index.html'), '<p>sub');
writeFileSync(join(root, 'sub', '.git', 'config'), 'secret');
writeFileSync(join(root, '.env'), 'secret');
writeFileSync(join(root, '.well-known', 'security.txt'), 'contact');
writeFileSync(join(root, 'empty'), '');
writeFileSync(join(root, 'big.bin'), Buffer.alloc(1_000_000, 'x'));
symlinkSync(join(base, 'outside', 'secret.txt'), join(root, 'link.txt'));
symlinkSync(join(base, 'outside'), join(root, 'linked'));
symlinkSync(join(root, '.env'), join(root, 'env.txt'));
symlinkSync(join(root, 'a b.txt'), join(root, 'inside.txt'));
utimesSync(join(root, 'a b.txt'), 1_700_000_000, 1_700_000_000);
after(() => rmSync(base, { recursive: true }));

function get(path: string, request: FakeRequest = {}): Promise<FakeExchange> {
  const exchange = new FakeExchange({ path, ...request });
  serveFile(exchange, { root, path, responseHeaders: { add: { 'X-Edit': '1' }, remove: [] } });
  return exchange.done;
}

test('serveFile() sends a file with type, validators and length', async () => {
  const exchange = await get('/a%20b.txt');
  assert.equal(exchange.response?.status, 200);
  assert.equal(exchange.text, 'hello world');
  assert.equal(exchange.length, 11);
  const headers = exchange.response?.headers;
  assert.equal(headers?.get('content-type'), 'text/plain; charset=utf-8');
  assert.equal(headers?.get('last-modified'), 'Tue, 14 Nov 2023 22:13:20 GMT');
  assert.equal(headers?.get('x-edit'), '1');
  assert.equal((await get('/inside.txt')).text, 'hello world', 'a link that stays inside is followed');
  assert.equal((await get('/empty')).length, 0);
  assert.equal((await get('/.well-known/security.txt')).text, 'contact');
});

for (const path of [
  '/link.txt',
  '/linked/secret.txt',
  '/env.txt',
  '/.env',
  '/sub/.git/config',
  '/../outside/secret.txt',
  '/%2e%2e/outside/secret.txt',
  '/..%2foutside%2fsecret.txt',
  '/sub/..%5c..%5coutside',
  '/a%00b',
  '/%ff',
  '/missing',
  '/a%20b.txt/',
  '/linked/',
]) {
  test(`serveFile() has nothing at ${path}`, async () => {
    const exchange = await get(path);
    assert.equal(exchange.response?.status, 404);
    assert.ok(!exchange.text.includes('secret'));
  });
}

test('serveFile() serves index.html of a folder and redirects to its slash, never to another host', async () => {
  assert.equal((await get('/')).text, '<p>root');
  assert.equal((await get('/sub/')).text, '<p>sub');
  const moved = await get('/sub', { path: '//sub', query: '?a=1' });
  assert.equal(moved.response?.status, 308);
  assert.equal(moved.response?.headers.get('location'), '/sub/?a=1');
});

test('serveFile() answers HEAD without bytes and other methods with 405', async () => {
  const head = await get('/a%20b.txt', { method: 'HEAD' });
  assert.deepEqual([head.length, head.bytes], [11, 0]);
  const post = await get('/a%20b.txt', { method: 'POST' });
  assert.deepEqual([post.response?.status, post.response?.headers.get('allow')], [405, 'GET, HEAD']);
  assert.equal(post.response?.headers.get('x-edit'), '1', "the route's edits hold for every answer");
});

test('serveFile() answers conditions with 304', async () => {
  const etag = (await get('/a%20b.txt')).response?.headers.get('etag') ?? '';
  const status = async (headers: Record<string, string>): Promise<number | undefined> =>
    (await get('/a%20b.txt', { headers })).response?.status;
  assert.equal(await status({ 'If-None-Match': `"x", W/${etag}` }), 304);
  assert.equal(await status({ 'If-None-Match': '"x"', 'If-Modified-Since': 'Tue, 14 Nov 2023 22:13:20 GMT' }), 200);
  assert.equal(await status({ 'If-Modified-Since': 'Tue, 14 Nov 2023 22:13:20 GMT' }), 304);
  assert.equal(await status({ 'If-Modified-Since': 'Tue, 14 Nov 2023 22:13:19 GMT' }), 200);
});

test('serveFile() answers 412 where what the client knows of the file is old', async () => {
  const etag = (await get('/a%20b.txt')).response?.headers.get('etag') ?? '';
  const [date, before] = ['Tue, 14 Nov 2023 22:13:20 GMT', 'Tue, 14 Nov 2023 22:13:19 GMT'];
  const status = async (headers: Record<string, string | string[]>): Promise<number | undefined> =>
    (await get('/a%20b.txt', { headers })).response?.status;
  assert.equal(await status({ 'If-Match': '*' }), 200);
  assert.equal(await status({ 'If-Match': `"x", ${etag}` }), 200);
  assert.equal(await status({ 'If-Match': ['"x"', etag] }), 200, 'a list may be of several lines');
  assert.equal(await status({ 'If-Match': '"x"' }), 412);
  assert.equal(await status({ 'If-Match': `W/${etag}` }), 412, 'a weak tag never matches strongly');
  assert.equal(await status({ 'If-Match': '"x"', 'If-None-Match': etag }), 412, 'what must hold is asked first');
  assert.equal(await status({ 'If-Match': etag, 'If-Unmodified-Since': before }), 200, 'a tag counts before a date');
  assert.equal(await status({ 'If-Unmodified-Since': date }), 200);
  assert.equal(await status({ 'If-Unmodified-Since': before }), 412);
  assert.equal(await status({ 'If-Unmodified-Since': 'yesterday' }), 200);
  assert.equal(await status({ 'If-Unmodified-Since': before, Range: 'bytes=6-' }), 412, 'no part of another version');
  assert.equal(await status({ 'If-None-Match': ['"x"', etag] }), 304);
});

test('serveFile() answers single ranges', async () => {
  const range = async (text: string, more: Record<string, string> = {}): Promise<unknown[]> => {
    const exchange = await get('/a%20b.txt', { headers: { Range: text, ...more } });
    return [exchange.response?.status, exchange.response?.headers.get('content-range'), exchange.text];
  };
  assert.deepEqual(await range('bytes=0-4'), [206, 'bytes 0-4/11', 'hello']);
  assert.deepEqual(await range('bytes=6-'), [206, 'bytes 6-10/11', 'world']);
  assert.deepEqual(await range('bytes=-5'), [206, 'bytes 6-10/11', 'world']);
  assert.deepEqual(await range('bytes=6-99'), [206, 'bytes 6-10/11', 'world']);
  assert.deepEqual(await range('bytes=11-'), [416, 'bytes */11', 'Range not satisfiable\n']);
  for (const text of ['bytes=0-1,3-4', 'bytes=4-2', 'bytes=-', 'lines=1-2', 'bytes=a-b']) {
    assert.deepEqual(await range(text), [200, undefined, 'hello world'], text);
  }
  assert.deepEqual(await range('bytes=0-4', { 'If-Range': '"other"' }), [200, undefined, 'hello world']);
  const head = await get('/a%20b.txt', { method: 'HEAD', headers: { Range: 'bytes=0-4' } });
  assert.deepEqual([head.response?.status, head.length], [200, 11], 'ranges are of GET alone');
});

test('serveFile() reads nothing for a client that left while the file was looked up', async (t) => {
  const gone = new FakeExchange({ path: '/big.bin' });
  const reads: number[] = [];
  // As the codecs do once an exchange is over: onClose was called before anybody could set it again.
  gone.respond = (_head, length) => {
    reads.push(length);
    return DISCARD;
  };
  const written = t.mock.method(DISCARD, 'write');
  serveFile(gone, { root, path: '/big.bin', responseHeaders: { add: {}, remove: [] } });
  await until(() => reads.length > 0, 'it answers');
  for (let i = 0; i < 200; i++) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(written.mock.callCount(), 0);
});

test('serveFile() waits for a slow client and stops for one that left', async () => {
  const slow = new FakeExchange({ path: '/big.bin' });
  slow.accepts = false;
  serveFile(slow, { root, path: '/big.bin', responseHeaders: { add: {}, remove: [] } });
  await until(() => slow.bytes > 0, 'it begins');
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(slow.bytes, 65_536);
  slow.accepts = true;
  slow.resume();
  await slow.done;
  assert.equal(slow.bytes, 1_000_000);
  const left = new FakeExchange({ path: '/big.bin' });
  left.accepts = false;
  serveFile(left, { root, path: '/big.bin', responseHeaders: { add: {}, remove: [] } });
  await until(() => left.bytes > 0, 'it begins');
  left.leave();
  left.resume();
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(left.bytes, 65_536);
});
