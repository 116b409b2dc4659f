import assert from 'node:assert/strict';
import { test } from 'node:test';
import { warning } from '../core/diagnostic.ts';
import { textSource } from './document-source.ts';
import { prepare } from './prepare.ts';
import type { Provisioned } from '../certs/provision.ts';

const TEXT = `version: 1
hosts:
  "a b.example.com": { respond: x, allow: ["usr:x"] }
  b.example.com: { paths: { "x/*": { respond: x, allow: [public] } } }
  c.example.com: { respond: x, allow: ["ip:300.1.1.1"], alow: [public] }
`;

test('prepare() tells the problems of all who look in the order of the document, and of one place once', async () => {
  const certificates = (): Promise<Provisioned> =>
    Promise.resolve({ diagnostics: [warning(['hosts', 'b.example.com'], 'No certificate')] } as unknown as Provisioned);
  const { prepared, diagnostics, printed } = await prepare(textSource('postern.yaml', TEXT), certificates);
  assert.equal(prepared, null);
  assert.deepEqual(
    diagnostics.map(({ message }) => message),
    [
      'hosts."a b.example.com" is not a host name',
      'Rule "usr:x" has the unknown kind "usr"',
      'No certificate',
      'hosts."b.example.com".paths."x/*" does not begin with "/"',
      'Rule "ip:300.1.1.1" has "300.1.1.1", which is not an IP address or CIDR range',
      'hosts."c.example.com".alow is not a known key',
    ],
  );
  const lines = [...printed.matchAll(/^postern\.yaml:(\d+):/gm)].map(([, line]) => Number(line));
  assert.deepEqual(
    lines,
    lines.toSorted((a, b) => a - b),
  );
});
