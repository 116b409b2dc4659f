import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HeaderBlock } from '../wire/header-block.ts';
import { classifyRequest, isNotTopLevel } from './request-kind.ts';

const HTML = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8';

function kindOf(headers: Record<string, string>, method = 'GET'): string {
  return classifyRequest(method, HeaderBlock.from(headers));
}

test('classifyRequest() sees a navigation in what browsers send for a tab', () => {
  assert.equal(
    kindOf({ Accept: HTML, 'Sec-Fetch-Mode': 'navigate', 'Sec-Fetch-Dest': 'document', 'Sec-Fetch-User': '?1' }),
    'navigation',
  );
  assert.equal(kindOf({ Accept: '*/*', 'Sec-Fetch-Mode': 'navigate', 'Sec-Fetch-Dest': 'document' }), 'navigation');
  assert.equal(kindOf({ Accept: HTML }), 'navigation');
  assert.equal(kindOf({ Accept: 'text/html' }), 'navigation');
});

test('classifyRequest() sees none in everything else', () => {
  const base = { Accept: HTML, 'Sec-Fetch-Mode': 'navigate', 'Sec-Fetch-Dest': 'document' };
  for (const destination of ['iframe', 'frame', 'embed', 'object', 'image', 'worker', '']) {
    assert.equal(kindOf({ ...base, 'Sec-Fetch-Dest': destination }), 'other', destination);
  }
  for (const mode of ['cors', 'no-cors', 'same-origin', 'websocket', ''])
    assert.equal(kindOf({ ...base, 'Sec-Fetch-Mode': mode }), 'other', mode);
  for (const method of ['POST', 'PUT', 'HEAD', 'OPTIONS', 'get']) assert.equal(kindOf(base, method), 'other', method);
  for (const name of ['Sec-Purpose', 'Purpose', 'X-Purpose', 'X-Moz'])
    assert.equal(kindOf({ ...base, [name]: 'prefetch' }), 'other', name);
  assert.equal(kindOf({ ...base, 'Sec-Purpose': 'prefetch;anonymous-client-ip' }), 'other');
  assert.equal(kindOf({ Accept: HTML, Upgrade: 'websocket', Connection: 'Upgrade' }), 'other');
  assert.equal(kindOf({ Accept: HTML, 'X-Requested-With': 'XMLHttpRequest' }), 'other');
  assert.equal(kindOf({ Accept: 'text/event-stream' }), 'other');
  assert.equal(kindOf({ Accept: 'application/json, text/plain, */*' }), 'other');
  assert.equal(kindOf({ Accept: '*/*' }), 'other');
  assert.equal(kindOf({}), 'other');
  assert.equal(kindOf({ 'Sec-Fetch-Dest': 'document', Accept: HTML }), 'other');
});

test('a navigation that the app’s own service worker passed on is one, on app hosts alone', () => {
  const passedOn = { Accept: HTML, 'Sec-Fetch-Mode': 'navigate', 'Sec-Fetch-Dest': 'empty' };
  assert.equal(kindOf(passedOn), 'navigation');
  assert.equal(isNotTopLevel(HeaderBlock.from(passedOn), 'app host'), false);
  assert.equal(isNotTopLevel(HeaderBlock.from(passedOn)), true);
  // What fetch() of a page or of a worker sends.
  for (const change of [{ 'Sec-Fetch-Mode': 'same-origin' }, { 'Sec-Fetch-Mode': 'cors' }, { Accept: '*/*' }]) {
    assert.equal(kindOf({ ...passedOn, ...change }), 'other');
    assert.equal(isNotTopLevel(HeaderBlock.from({ ...passedOn, ...change }), 'app host'), true);
  }
  assert.equal(kindOf({ ...passedOn, 'Sec-Purpose': 'prefetch' }), 'other');
});
