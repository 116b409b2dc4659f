import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileRegExp } from './regular-expression.ts';

test('replaceAll() reads a template as Go does', () => {
  const replace = (source: string, text: string, template: string): string =>
    compileRegExp(source).replaceAll(text, template);
  for (const [template, expected] of [
    ['/pre$0', '/pre/a/b'],
    ['/$2/$1', '/b/a'],
    ['/$first/${second}', '/a/b'],
    ['/${1}x', '/ax'],
    // The longest name that can be: no group is called so.
    ['/$1x', '/'],
    ['/$3/${nobody}/$constructor', '///'],
    ['/$$1', '/$1'],
    ['/$', '/$'],
    ['/$-${}', '/$-${}'],
  ] as const)
    assert.equal(replace('^/(?P<first>[^/]+)/(?P<second>.*)$', '/a/b', template), expected, template);
  assert.equal(replace('(x)|(y)', 'xy', '<$1$2>'), '<x><y>');
  // An empty match behind another one is none.
  assert.equal(replace('.*', '/a', '/z'), '/z');
  assert.equal(replace('b*', 'abc', '-'), '-a-c-');
});
