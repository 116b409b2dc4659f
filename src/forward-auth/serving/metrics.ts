/**
 * Counters of `postern forward-auth`: oauth2-proxy's three under its names, and what it never told: decisions,
 * sign-ins, renewals. Plain numbers on the hot path; labels are bounded.
 */
import type { Family, Sample } from '../../observe/exposition.ts';

/** Prometheus' own defaults, in seconds. */
const BUCKETS: readonly number[] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const METHODS: ReadonlySet<string> = new Set([
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'PATCH',
  'DELETE',
  'OPTIONS',
  'CONNECT',
  'TRACE',
]);

interface Durations {
  readonly counts: number[];
  sum: number;
}

export class ServingMetrics {
  readonly #codes = new Map<number, number>();
  readonly #durations = new Map<string, Durations>();
  readonly #decisions = new Map<string, number>();
  readonly #signIns = new Map<string, number>();
  readonly #refreshes = new Map<string, number>();
  #inFlight = 0;

  begin(): void {
    this.#inFlight++;
  }

  end(method: string, status: number, durationMs: number): void {
    this.#inFlight--;
    this.#codes.set(status, (this.#codes.get(status) ?? 0) + 1);
    const known = METHODS.has(method) ? method : 'other';
    let durations = this.#durations.get(known);
    if (durations === undefined) {
      durations = { counts: Array.from({ length: BUCKETS.length + 1 }, () => 0), sum: 0 };
      this.#durations.set(known, durations);
    }
    const seconds = durationMs / 1_000;
    let at = 0;
    while (at < BUCKETS.length && seconds > (BUCKETS[at] as number)) at++;
    (durations.counts[at] as number)++;
    durations.sum += seconds;
  }

  decision(decision: string): void {
    bump(this.#decisions, decision);
  }

  signIn(result: 'signed-in' | 'signed-out' | 'refused' | 'failed'): void {
    bump(this.#signIns, result);
  }

  refresh(outcome: string): void {
    bump(this.#refreshes, outcome);
  }

  families(): Family[] {
    return [
      counter('oauth2_proxy_requests_total', 'Total number of requests by HTTP status code.', 'code', this.#codes),
      {
        name: 'oauth2_proxy_requests_in_flight',
        help: 'Current number of requests being served.',
        type: 'gauge',
        samples: [{ value: this.#inFlight }],
      },
      {
        name: 'oauth2_proxy_response_duration_seconds',
        help: 'A histogram of request latencies.',
        type: 'histogram',
        samples: [...this.#durations].flatMap(([method, durations]) => histogram(method, durations)),
      },
      counter('postern_decisions_total', 'Requests by what was decided.', 'decision', this.#decisions),
      counter('postern_sign_ins_total', 'Sign-ins and sign-outs by their result.', 'result', this.#signIns),
      counter('postern_session_refreshes_total', 'Renewals of sessions by their outcome.', 'outcome', this.#refreshes),
    ];
  }
}

function bump(counts: Map<string, number>, label: string): void {
  counts.set(label, (counts.get(label) ?? 0) + 1);
}

// oxlint-disable-next-line max-params -- the parts of one family
function counter(name: string, help: string, label: string, counts: ReadonlyMap<string | number, number>): Family {
  const samples = [...counts].map(([key, value]) => ({ labels: { [label]: String(key) }, value }));
  return { name, help, type: 'counter', samples };
}

function histogram(method: string, { counts, sum }: Durations): Sample[] {
  const samples: Sample[] = [];
  let total = 0;
  for (const [at, count] of counts.entries()) {
    total += count;
    const bound = BUCKETS[at];
    samples.push({
      suffix: '_bucket',
      labels: { method, le: bound === undefined ? '+Inf' : String(bound) },
      value: total,
    });
  }
  return [
    ...samples,
    { suffix: '_sum', labels: { method }, value: sum },
    { suffix: '_count', labels: { method }, value: total },
  ];
}
