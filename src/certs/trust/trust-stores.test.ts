import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findTrustStores, type Machine } from './trust-stores.ts';

function machine(commands: readonly string[], files: readonly string[] = [], more: Partial<Machine> = {}): Machine {
  return {
    platform: 'linux',
    home: '/home/ann',
    hasCommand: (name) => commands.includes(name),
    exists: (path) => files.some((file) => file === path || file.startsWith(`${path}/`)),
    list: (folder) => [
      ...new Set(
        files
          .filter((file) => file.startsWith(`${folder}/`))
          .map((file) => file.slice(folder.length + 1).split('/')[0] ?? ''),
      ),
    ],
    ...more,
  };
}

const ROOT = { id: 'ab12', commonName: 'Postern local CA ab12', file: '/x/ab12.pem' };

function described(one: Machine): unknown[] {
  return findTrustStores(one).map((store) => [
    store.place?.('ab12') ?? null,
    store.add(ROOT),
    store.remove(ROOT),
    store.needsRoot,
  ]);
}

test('findTrustStores() knows where each kind of system keeps its roots', () => {
  const debian = '/usr/local/share/ca-certificates';
  const update = ['update-ca-certificates'];
  assert.deepEqual(described(machine(update, [`${debian}/x`])), [
    [`${debian}/postern-ab12.crt`, [update], [[...update, '--fresh']], true],
  ]);
  assert.deepEqual(described(machine(update)), [
    ['/etc/pki/trust/anchors/postern-ab12.crt', [update], [[...update, '--fresh']], true],
  ]);
  const fedora = '/etc/pki/ca-trust/source/anchors';
  const extract = [['update-ca-trust', 'extract']];
  assert.deepEqual(described(machine(['update-ca-trust', 'trust'], [`${fedora}/x`])), [
    [`${fedora}/postern-ab12.pem`, extract, extract, true],
  ]);
  assert.deepEqual(described(machine(['trust'])), [
    [null, [['trust', 'anchor', '--store', ROOT.file]], [['trust', 'anchor', '--remove', ROOT.file]], true],
  ]);
  assert.deepEqual(described(machine(['security'], [], { platform: 'darwin' })), [
    [
      null,
      [
        [
          'security',
          'add-trusted-cert',
          '-d',
          '-r',
          'trustRoot',
          '-k',
          '/Library/Keychains/System.keychain',
          ROOT.file,
        ],
      ],
      [['security', 'remove-trusted-cert', '-d', ROOT.file]],
      true,
    ],
  ]);
  assert.deepEqual(findTrustStores(machine([])), []);
});

test('findTrustStores() finds the databases of Chrome and of every Firefox profile', () => {
  const files = [
    '.pki/nssdb/cert9.db',
    '.mozilla/firefox/abc.default/cert9.db',
    '.mozilla/firefox/profiles.ini',
    'snap/firefox/common/.mozilla/firefox/x.y/cert9.db',
  ];
  const stores = findTrustStores(
    machine(
      ['certutil'],
      files.map((file) => `/home/ann/${file}`),
    ),
  );
  assert.deepEqual(
    stores.map((store) => [store.label, store.serves, store.needsRoot]),
    [
      ['"/home/ann/.pki/nssdb"', 'Chrome and Chromium', false],
      ['"/home/ann/.mozilla/firefox/abc.default"', 'Firefox', false],
      ['"/home/ann/snap/firefox/common/.mozilla/firefox/x.y"', 'Firefox', false],
    ],
  );
  assert.deepEqual(stores[0]?.add(ROOT), [
    ['certutil', '-A', '-d', 'sql:/home/ann/.pki/nssdb', '-t', 'C,,', '-n', ROOT.commonName, '-i', ROOT.file],
  ]);
});
