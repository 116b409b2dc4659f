/** The image and the Compose file, as far as they can be tried without an engine: what they name has to be there. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { loadDocument } from '../src/config/load.ts';

const ROOT = resolve(import.meta.dirname, '..');
const read = (path: string): string => readFileSync(resolve(ROOT, path), 'utf8');
const dockerfile = read('Dockerfile');

interface Compose {
  readonly services: { readonly postern: { readonly build: string; readonly volumes: readonly string[] } };
  readonly volumes: Readonly<Record<string, unknown>>;
}

/** Whether .dockerignore lets a path through: the last line that matches decides. */
function isSent(path: string): boolean {
  const lines = read('.dockerignore')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));
  let isOut = false;
  for (const line of lines) {
    const pattern = line.replace(/^!/, '');
    const matches = pattern === '*' || pattern === path || path.startsWith(`${pattern}/`);
    if (matches) isOut = !line.startsWith('!');
  }
  return !isOut;
}

test('the Dockerfile copies what there is, and what .dockerignore lets through, and no data folder', () => {
  const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, names = '']) => names.split(' '));
  assert.deepEqual(copied, ['package.json', 'package-lock.json', 'package.json', 'bin', 'src']);
  for (const name of copied) assert.ok(existsSync(resolve(ROOT, name)) && isSent(name), name);
  for (const name of ['data/seal.key', 'node_modules/zod', '.git/config', '.env']) assert.ok(!isSent(name), name);
});

test('the Dockerfile asks for health where a document without "listen" answers, and runs as nobody else’s user', () => {
  const document = loadDocument({ text: read('deploy/postern.yaml'), file: 'postern.yaml', env: {}, readFile: read });
  const health = document.document?.listen.health;
  assert.ok(health !== null && health !== undefined);
  assert.ok(dockerfile.includes(`fetch('http://${health.host}:${health.port}/readyz')`), JSON.stringify(health));
  assert.match(dockerfile, /^USER postern$/m);
  assert.match(dockerfile, /^CMD \["run", "--config", "\/etc\/postern\/postern\.yaml"\]$/m);
});

test('deploy/compose.yaml builds this repository and mounts files that exist; its document is good', () => {
  const compose = parse(read('deploy/compose.yaml')) as Compose;
  const { build, volumes } = compose.services.postern;
  assert.ok(existsSync(resolve(ROOT, 'deploy', build, 'Dockerfile')));
  for (const volume of volumes) {
    const [source = '', target = ''] = volume.split(':');
    // Docker makes an empty folder of a file that is not there.
    if (source.startsWith('.')) assert.ok(existsSync(resolve(ROOT, 'deploy', source)), source);
    else assert.ok(source in compose.volumes && dockerfile.includes(`VOLUME ${target}`), volume);
  }
  const { document, diagnostics } = loadDocument({
    text: read('deploy/postern.yaml'),
    file: 'postern.yaml',
    env: {},
    readFile: read,
  });
  assert.deepEqual(diagnostics, []);
  assert.ok(document !== null);
  const services = Object.keys(compose.services);
  for (const [, name = ''] of read('deploy/postern.yaml').matchAll(/http:\/\/([\w-]+)/g))
    assert.ok(services.includes(name), name);
});
