import assert from 'node:assert/strict';
import { test } from 'node:test';
import { probeLimits } from './ca-limits.ts';
import type { IssuanceEvent } from '../../core/issuance-store.ts';
import type { Wanted } from './wanted.ts';

const DIRECTORY = 'https://acme-v02.api.letsencrypt.org/directory';
const DAY = 86_400_000;
const NOW = Date.UTC(2026, 10, 20);

function wanted(names: readonly string[], directory = DIRECTORY): Wanted {
  const ca = { name: "Let's Encrypt", directory, eab: null, profile: null, preferredChain: null, rootsPem: null };
  const policy = {
    cas: [ca],
    fallbackAfter: 3,
    keyTypes: ['p256'] as const,
    challenges: [],
    dns: null,
    onDemand: false,
  };
  return { subject: names.toSorted().join(' '), names, keyType: 'p256', policy, at: [] };
}

function issued(count: number, subject: (index: number) => string, at = NOW - DAY): IssuanceEvent[] {
  return Array.from({ length: count }, (_, index) => ({ directory: DIRECTORY, subject: subject(index), issuedAt: at }));
}

test('probeLimits() tells of the same names ordered too often, and when there is room again', () => {
  const same = wanted(['app.example.com']);
  assert.deepEqual(
    probeLimits(
      same,
      issued(3, () => 'app.example.com'),
      NOW,
    ),
    [],
  );
  assert.deepEqual(
    probeLimits(
      same,
      issued(4, () => 'app.example.com'),
      NOW,
    ).map((one) => one.kind),
    ['near'],
  );
  const [full] = probeLimits(
    same,
    issued(5, () => 'app.example.com'),
    NOW,
  );
  assert.equal(full?.kind, 'full');
  assert.match(
    full?.message ?? '',
    /^5 of the 5 certificates for exactly "app.example.com" .* possible from 2026-11-26 00:00 UTC$/,
  );
  assert.deepEqual(
    probeLimits(
      same,
      issued(9, () => 'app.example.com', NOW - 8 * DAY),
      NOW,
    ),
    [],
    'a week has passed',
  );
  assert.deepEqual(
    probeLimits(
      wanted(['app.example.com'], 'https://ca.internal/dir'),
      issued(9, () => 'app.example.com'),
      NOW,
    ),
    [],
  );
});

test('probeLimits() counts an RSA certificate beside the ECDSA one as one more for the same names, and not for the domain', () => {
  const both = issued(4, (index) => (index % 2 === 0 ? 'app.example.com' : 'app.example.com (rsa)'));
  assert.match(probeLimits(wanted(['app.example.com']), both, NOW)[0]?.message ?? '', /^4 of the 5 certificates/);
  const pairs = issued(78, (index) => `a${index >> 1}.example.com${index % 2 === 0 ? '' : ' (rsa)'}`);
  assert.deepEqual(probeLimits(wanted(['new.example.com']), pairs, NOW), [], '39 sets of names');
});

test('probeLimits() counts the names of a domain together, renewals of the same names not', () => {
  const next = wanted(['new.example.co.uk']);
  const near = probeLimits(
    next,
    issued(45, (index) => `a${index}.example.co.uk`),
    NOW,
  );
  assert.match(
    near.map((one) => `${one.kind} ${one.message}`).join(),
    /^near 45 of the 50 certificates for names of "example.co.uk"/,
  );
  assert.equal(
    probeLimits(
      next,
      issued(50, (index) => `*.a${index}.example.co.uk`),
      NOW,
    )[0]?.kind,
    'full',
  );
  assert.deepEqual(
    probeLimits(
      next,
      issued(50, (index) => `a.b${index}.co.uk`),
      NOW,
    ),
    [],
  );
});
