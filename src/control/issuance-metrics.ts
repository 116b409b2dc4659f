/** What monitoring sees of certificates from CAs: what is missing, what fails, when the next order is due. */
import type { Issuance } from '../certs/issuance/issuance.ts';
import type { Family } from '../observe/exposition.ts';

/** Many names make many series: the most urgent ones are told. */
const MOST = 500;

export function issuanceFamilies(issuance: Issuance | null): readonly Family[] {
  if (issuance === null) return [];
  const all = issuance.status();
  const urgent = all.toSorted((a, b) => b.failures - a.failures || a.nextAt - b.nextAt).slice(0, MOST);
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
      samples: urgent.map(({ wanted, nextAt }) => ({ labels: { name: wanted.names[0] ?? '' }, value: nextAt / 1000 })),
    },
    {
      name: 'postern_certificate_failures',
      type: 'gauge',
      help: 'Failed orders in a row, by the first name; 0 where all is well.',
      samples: urgent.map(({ wanted, failures }) => ({ labels: { name: wanted.names[0] ?? '' }, value: failures })),
    },
    {
      name: 'postern_certificate_orders_total',
      type: 'counter',
      help: 'Orders that came to an end, since the start.',
      samples: Object.entries({ issued, renewed, failed }).map(([result, value]) => ({ labels: { result }, value })),
    },
  ];
}

function gauge(name: string, help: string, value: number): Family {
  return { name, type: 'gauge', help, samples: [{ value }] };
}

/** One line for each certificate that fails; /readyz shows them, and stays ready: what is in use still works. */
export function issuanceWarnings(issuance: Issuance | null): readonly string[] {
  return (issuance?.status() ?? [])
    .filter((one) => one.failures > 0)
    .slice(0, 20)
    .map(({ wanted, problem, issued }) => {
      const state = issued === null ? 'has no certificate' : 'is not renewed';
      return `"${wanted.names[0] ?? ''}" ${state}: ${problem?.message ?? 'see the log'}`;
    });
}
