/** What monitoring sees of certificates from CAs: what is missing, what fails, when the next order is due. */
import { validFor } from '../certs/certificate-set.ts';
import { isRsa, kindIn, type Wanted } from '../certs/issuance/wanted.ts';
import type { CertificateEntry, CertificateSet } from '../certs/certificate-set.ts';
import type { Issuance } from '../certs/issuance/issuance.ts';
import type { IssuanceStatus } from '../certs/issuance/status.ts';
import type { Family } from '../observe/exposition.ts';

/** Many names make many series: the most urgent ones are told. */
const MOST = 500;

export function issuanceFamilies(issuance: Issuance | null): readonly Family[] {
  if (issuance === null) return [];
  const all = issuance.status();
  const urgent = mostUrgent(all);
  const { issued, renewed, failed } = issuance.counts;
  return [
    gauge('postern_certificate_wanted', 'Certificates that the document wants from CAs.', all.length),
    gauge(
      'postern_certificate_missing',
      'Of these, those that no CA has issued yet.',
      all.filter((one) => one.issued === null).length,
    ),
    {
      name: 'postern_certificate_next_order_seconds',
      type: 'gauge',
      help: 'When a certificate is renewed, or ordered again after a failure, by its first name.',
      samples: urgent.map(({ name, nextAt }) => ({ labels: { name }, value: nextAt / 1000 })),
    },
    {
      name: 'postern_certificate_failures',
      type: 'gauge',
      help: 'Failed orders in a row, by the first name; 0 where all is well.',
      samples: urgent.map(({ name, failures }) => ({ labels: { name }, value: failures })),
    },
    {
      name: 'postern_certificate_orders_total',
      type: 'counter',
      help: 'Orders that came to an end, since the start.',
      samples: Object.entries({ issued, renewed, failed }).map(([result, value]) => ({ labels: { result }, value })),
    },
  ];
}

interface Urgency {
  readonly name: string;
  readonly failures: number;
  readonly nextAt: number;
}

/** One series for each first name, however many certificates begin with it: the worst of them counts. */
function mostUrgent(all: readonly IssuanceStatus[]): readonly Urgency[] {
  const byName = new Map<string, Urgency>();
  for (const { wanted, failures, nextAt } of all) {
    const name = wanted.names[0] ?? '';
    const before = byName.get(name) ?? { failures: 0, nextAt: Number.POSITIVE_INFINITY };
    const worst = { failures: Math.max(before.failures, failures), nextAt: Math.min(before.nextAt, nextAt) };
    byName.set(name, { name, ...worst });
  }
  return [...byName.values()].toSorted((a, b) => b.failures - a.failures || a.nextAt - b.nextAt).slice(0, MOST);
}

function gauge(name: string, help: string, value: number): Family {
  return { name, type: 'gauge', help, samples: [{ value }] };
}

/**
 * One line for each certificate that fails; /readyz shows them, and stays ready: what is in use still works. Where the
 * CA's is not there, its names may have one of another kind of key, of a wildcard or of the operator's: that is said.
 */
export function issuanceWarnings(issuance: Issuance | null, set: CertificateSet, now: number): readonly string[] {
  return (issuance?.status() ?? [])
    .filter((one) => one.failures > 0)
    .slice(0, 20)
    .map((one) => {
      const { wanted, problem, issued } = one;
      const kind = kindIn(wanted);
      const state = issued === null ? lacking(wanted, set, now) : `is not renewed${kind && ` (${kind.trim()})`}`;
      return `"${wanted.names[0] ?? ''}" ${state}: ${problem?.message ?? 'see the log'}`;
    });
}

function lacking(wanted: Wanted, set: CertificateSet, now: number): string {
  const served = wanted.names.map((name) => validFor(set, name, now));
  const [first] = served.toSorted((a, b) => (a?.notAfter ?? 0) - (b?.notAfter ?? 0));
  if (first === null || first === undefined) return `has no ${kindIn(wanted)}certificate`;
  const until = new Date(first.notAfter).toISOString().slice(0, 10);
  const kind = isRsa(wanted.keyType) ? 'RSA' : 'ECDSA';
  return `has no ${kind} certificate of its CA yet, and is served the ${KINDS[first.keyType]} one there is (until ${until})`;
}

const KINDS: Readonly<Record<CertificateEntry['keyType'], string>> = { ec: 'ECDSA', rsa: 'RSA', other: 'other' };
