import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileRegExp } from '../regular-expression.ts';
import type { UpstreamSettings } from '../settings.ts';
import { isRewritten, rewriteFor } from './rewrite.ts';

function rewritten(source: string, target: string, path: string): string | null {
  const rewrite = { pattern: compileRegExp(source), target };
  if (!isRewritten(rewrite, path)) return null;
  const { path: found, query } = rewriteFor({ rewrite } as UpstreamSettings, path, '');
  return found + query;
}

test('a rewrite reads a path as people do, and writes it as addresses are written', () => {
  assert.equal(rewritten('^/größe/(.*)$', '/size/$1', '/gr%C3%B6%C3%9Fe/x'), '/size/x');
  assert.equal(rewritten('^/a b/([a-z ]+)$', '/c/$1', '/a%20b/c%20d'), '/c/c%20d');
  assert.equal(rewritten('^/(.*)$', '/Größe x/$1', '/%C3%A4%7C'), '/Gr%C3%B6%C3%9Fe%20x/%C3%A4%7C');
  assert.equal(rewritten('^/(.*)$', '/x/$1', '/%FF%20'), '/x/%FF%20');
  // "." is no line break: as in the original it is another application's.
  assert.equal(rewritten('^/old/(.*)$', '/new/$1', '/old/a%0Ab'), null);
});

test('what is escaped to be no parameter or escape stays so in a rewrite', () => {
  const escapes = '%3F%23%25%26%3D%2B%3B%5C';
  assert.equal(rewritten('^/old/(.*)$', '/new/$1', `/old/a${escapes}b`), `/new/a${escapes}b`);
  assert.equal(rewritten('^/find/(.*)$', '/s?x=1&q=$1', '/find/a%26admin%3D1%20%22'), '/s?q=a%26admin%3D1%20%22&x=1');
  assert.equal(rewritten('^/old/(.*)$', '/new/$1', '/old/a%252Fb'), '/new/a%252Fb');
});

test('an encoded slash is a slash in a rewrite, as in oauth2-proxy', () => {
  assert.equal(rewritten('^/old/(.*)$', '/new/$1', '/old/a%2Fb'), '/new/a/b');
  assert.equal(rewritten('^/old/(.*)$', '/new/$1', '/old/%2F%2Fb'), '/new/b');
  assert.equal(rewritten('^/old/([^/]+)$', '/new/$1', '/old/a%2Fb'), null);
});
