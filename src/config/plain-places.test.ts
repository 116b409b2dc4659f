import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { stringify } from 'yaml';
import type { Path } from './document/path.ts';
import { placesOfPlainYaml } from './plain-places.ts';
import { readPlainYaml } from './plain-yaml.ts';
import { findOffset, parseYaml, type Plain } from './yaml-tree.ts';

/** Every path of the data, and some that lead nowhere. */
function* pathsOf(plain: Plain, path: Path = []): Generator<Path> {
  yield path;
  yield [...path, 'nowhere'];
  yield [...path, 99];
  if (typeof plain !== 'object' || plain === null) return;
  const isList = Array.isArray(plain);
  for (const [key, value] of Object.entries(plain)) yield* pathsOf(value, [...path, isList ? Number(key) : key]);
}

/** How many places were found; each as the full parser finds it. */
function agree(text: string): number {
  const find = placesOfPlainYaml(text);
  assert.equal(find === null, readPlainYaml(text) === null, JSON.stringify(text));
  if (find === null) return 0;
  const tree = parseYaml(text);
  let found = 0;
  for (const path of pathsOf(readPlainYaml(text) ?? undefined)) {
    for (const isAtKey of [false, true]) {
      const offset = find(path, isAtKey);
      if (offset === null) continue;
      assert.equal(
        offset,
        findOffset(tree, path, isAtKey),
        `${JSON.stringify(path)} ${isAtKey} of ${JSON.stringify(text)}`,
      );
      found++;
    }
  }
  return found;
}

test('placesOfPlainYaml() finds keys, values and entries of lists', () => {
  const text = `# a comment
version: 1
listen: { http: ":80",  "https": [ ":443", ':8443' ] } # and another

hosts:
  "*.example.com":
    to:   http://127.0.0.1:9001
    allow:
    - public
    -   'ip:192.0.2.1'
  empty:
  b.example.com: { to: "unix:/run/x.sock", allow: [ { all: [a, b] } ] }
`;
  assert.ok(agree(text) > 40);
  const find = placesOfPlainYaml(text);
  const at = (path: Path, isAtKey = false): string => text.slice(find?.(path, isAtKey) ?? text.length).slice(0, 5);
  assert.equal(at(['listen', 'https', 1]), "':844");
  assert.equal(at(['hosts', '*.example.com', 'allow', 1]), "'ip:1");
  assert.equal(at(['hosts', '*.example.com', 'to']), 'http:');
  assert.equal(at(['hosts', '*.example.com', 'to'], true), 'to:  ');
  assert.equal(find?.(['hosts', 'empty'], false), null);
});

test('placesOfPlainYaml() agrees with the full parser on the golden files', () => {
  const folder = resolve(import.meta.dirname, 'golden');
  let found = 0;
  for (const name of globSync('*.txt', { cwd: folder }))
    found += agree(readFileSync(resolve(folder, name), 'utf8').split(/^-{10,}\n/m)[0] ?? '');
  assert.ok(found >= 100, `only ${found} were found`);
});

test('placesOfPlainYaml() agrees with the full parser on printed data', () => {
  const key = fc.constantFrom('a', 'b.c', '/x/*', '*.d', 'e f', 'g:h');
  const scalar = fc.constantFrom('x', 'a: b', '12h', ':443', '- a', '', ' x ', "it's", 7, true, null);
  const { map } = fc.letrec((tie) => ({
    any: fc.oneof({ maxDepth: 4 }, scalar, fc.array(tie('any'), { maxLength: 3 }), tie('map')),
    map: fc.dictionary(key, tie('any'), { maxKeys: 4 }),
  }));
  let found = 0;
  fc.assert(
    fc.property(map, (data) => void (found += agree(stringify(data)) + agree(JSON.stringify(data)))),
    { numRuns: 500 },
  );
  assert.ok(found > 500, `only ${found} were found`);
});
