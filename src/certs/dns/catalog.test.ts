import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { createDnsProvider, PROVIDER_TYPES } from './catalog.ts';
import { COMMON_KEYS } from './provider-type.ts';

const FOLDER = resolve(import.meta.dirname, 'providers');

test('PROVIDER_TYPES has every file of providers/, each of at most 100 lines and of one type', () => {
  const files = globSync('*.ts', { cwd: FOLDER });
  for (const file of files) {
    const text = readFileSync(resolve(FOLDER, file), 'utf8');
    const [, type] = /^ {2}type: '([a-z0-9-]+)',$/m.exec(text) ?? [];
    assert.equal(`${type}.ts`, file);
    assert.ok(
      PROVIDER_TYPES.some((one) => one.type === type),
      `${file} is not in the catalogue`,
    );
    const lines = text.trimEnd().split('\n').length;
    assert.ok(lines <= 100, `${file} has ${lines} lines`);
  }
  assert.equal(new Set(PROVIDER_TYPES.map(({ type }) => type)).size, files.length);
});

test('PROVIDER_TYPES describes each key and each permission as the reference and the remedies need it', () => {
  for (const { type, keys, permission, documentation } of PROVIDER_TYPES) {
    for (const [name, { description }] of Object.entries({ ...keys, ...COMMON_KEYS })) {
      assert.match(name, /^[a-z]+(?:_[a-z]+)*$/);
      assert.match(description, /^[A-Z`].*\.$/, `${type}.${name}`);
    }
    assert.doesNotMatch(permission, /^[A-Z]|\.$/, type);
    assert.match(documentation, /^(?:https:|dns-providers\.md#)/, type);
    assert.ok(!Object.keys(keys).some((name) => name === 'type' || name in COMMON_KEYS), type);
  }
});

test('createDnsProvider() refuses a type that it does not know', () => {
  const settings = {
    name: 'x',
    type: 'none',
    values: {},
    resolvers: [],
    propagationTimeoutMs: 1,
    propagationDelayMs: null,
    at: [],
  };
  assert.throws(() => createDnsProvider(settings), { message: 'Cannot make a DNS provider: "none" is no type of one' });
});
