/**
 * A worker's counters: plain numbers that a request bumps, bounded in how many there can be. Nothing here
 * knows Prometheus; a snapshot is plain data that crosses threads and adds up with those of others.
 */

/** Upper bounds in seconds; one more bucket takes the rest. */
export const DURATION_BUCKETS: readonly number[] = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
];

/** Counters with one label, by label value. */
export const COUNTERS = {
  decisions: { name: 'postern_decisions_total', label: 'decision', help: 'Requests by what the rules decided.' },
  shadowDecisions: {
    name: 'postern_shadow_decisions_total',
    label: 'decision',
    help: 'Requests that rules on trial would have decided otherwise, by their decision.',
  },
  errors: { name: 'postern_errors_total', label: 'code', help: 'Requests that ended in an error, by error code.' },
  upstreamErrors: { name: 'postern_upstream_errors_total', label: 'code', help: 'Failures of apps, by error code.' },
  upstreamRetries: {
    name: 'postern_upstream_retries_total',
    label: 'route',
    help: 'Requests sent to an app once more.',
  },
  connections: { name: 'postern_connections_total', label: 'scheme', help: 'Connections accepted.' },
  connectionsRefused: { name: 'postern_connections_refused_total', label: 'reason', help: 'Connections refused.' },
  handshakes: {
    name: 'postern_tls_handshakes_total',
    label: 'result',
    help: 'TLS handshakes: full, resumed, failed, no-certificate.',
  },
  sessionLookups: {
    name: 'postern_session_lookups_total',
    label: 'result',
    help: 'Session look-ups: cached, found, absent, unavailable.',
  },
} as const;

/** What there is now, rather than what has happened. */
export const GAUGES = {
  openConnections: { name: 'postern_open_connections', help: 'Connections open now.' },
  openRequests: { name: 'postern_open_requests', help: 'Requests under way now.' },
  openTunnels: { name: 'postern_open_tunnels', help: 'WebSockets and other upgraded connections open now.' },
  upstreamConnections: {
    name: 'postern_upstream_connections',
    help: 'Connections to apps open now, idle ones included.',
  },
  cachedSessions: { name: 'postern_cached_sessions', help: 'Sessions in the caches of the workers.' },
} as const;

export const TOTALS = {
  receivedBytes: {
    name: 'postern_received_body_bytes_total',
    help: 'Bytes of request bodies and of tunnels from clients.',
  },
  sentBytes: { name: 'postern_sent_body_bytes_total', help: 'Bytes of response bodies and of tunnels to clients.' },
  logLinesDropped: { name: 'postern_log_lines_dropped_total', help: 'Log lines lost because nobody read them.' },
} as const;

export type CounterName = keyof typeof COUNTERS;
export type GaugeName = keyof typeof GAUGES;
export type TotalName = keyof typeof TOTALS;

export interface RouteSnapshot {
  /** Requests answered 1xx to 5xx, in this order. */
  readonly statuses: readonly number[];
  /** Not cumulative; one more than DURATION_BUCKETS. */
  readonly buckets: readonly number[];
  readonly seconds: number;
}

/** Plain data, summable. */
export interface MetricsSnapshot {
  readonly routes: Readonly<Record<string, RouteSnapshot>>;
  readonly counters: Readonly<Record<CounterName, Readonly<Record<string, number>>>>;
  readonly gauges: Readonly<Record<GaugeName, number>>;
  readonly totals: Readonly<Record<TotalName, number>>;
}

const ROUTES_MAX = 200;
const LABELS_MAX = 200;
/** Takes what came after the limit. */
const REST = 'other';
const STATUS_CLASSES = 5;

interface RouteCell {
  readonly statuses: Float64Array;
  readonly buckets: Float64Array;
  seconds: number;
}

export class Metrics {
  readonly #routes = new Map<string, RouteCell>();
  readonly #counters = mapKeys(COUNTERS, () => new Map<string, number>());
  readonly #gauges = mapKeys(GAUGES, () => 0);
  readonly #totals = mapKeys(TOTALS, () => 0);

  /** One answered request. `route` is the label of its route, null where none was found. */
  request(route: string | null, status: number, durationMs: number): void {
    const cell = this.#routeCell(route ?? 'none');
    const at = Math.min(Math.max(Math.floor(status / 100) - 1, 0), STATUS_CLASSES - 1);
    cell.statuses[at] = (cell.statuses[at] ?? 0) + 1;
    const seconds = Math.max(durationMs / 1000, 0);
    let bucket = 0;
    while (bucket < DURATION_BUCKETS.length && seconds > (DURATION_BUCKETS[bucket] ?? 0)) bucket += 1;
    cell.buckets[bucket] = (cell.buckets[bucket] ?? 0) + 1;
    cell.seconds += seconds;
  }

  count(counter: CounterName, label: string, by = 1): void {
    const cells = this.#counters[counter];
    const value = cells.get(label);
    if (value !== undefined) cells.set(label, value + by);
    else if (cells.size < LABELS_MAX) cells.set(label, by);
    else cells.set(REST, (cells.get(REST) ?? 0) + by);
  }

  add(total: TotalName, amount: number): void {
    this.#totals[total] += amount;
  }

  /** By how much something that is open now grew or shrank. */
  change(gauge: GaugeName, by: number): void {
    this.#gauges[gauge] += by;
  }

  set(gauge: GaugeName, value: number): void {
    this.#gauges[gauge] = value;
  }

  snapshot(): MetricsSnapshot {
    const routes = [...this.#routes].map(([label, cell]) => [label, routeSnapshot(cell)] as const);
    const counters = mapKeys(COUNTERS, (name) => Object.fromEntries(this.#counters[name]));
    return { routes: Object.fromEntries(routes), counters, gauges: { ...this.#gauges }, totals: { ...this.#totals } };
  }

  #routeCell(label: string): RouteCell {
    const known = this.#routes.get(label);
    if (known !== undefined) return known;
    if (this.#routes.size >= ROUTES_MAX && label !== REST) return this.#routeCell(REST);
    const cell = {
      statuses: new Float64Array(STATUS_CLASSES),
      buckets: new Float64Array(DURATION_BUCKETS.length + 1),
      seconds: 0,
    };
    this.#routes.set(label, cell);
    return cell;
  }
}

function routeSnapshot({ statuses, buckets, seconds }: RouteCell): RouteSnapshot {
  return { statuses: [...statuses], buckets: [...buckets], seconds };
}

/** The sum; of none, zeros. */
export function mergeSnapshots(snapshots: readonly MetricsSnapshot[]): MetricsSnapshot {
  const routes = new Map<string, RouteSnapshot>();
  for (const one of snapshots) {
    for (const [label, route] of Object.entries(one.routes)) routes.set(label, addRoutes(routes.get(label), route));
  }
  const counters = mapKeys(COUNTERS, (name) => addRecords(snapshots.map((one) => one.counters[name])));
  const sum = (pick: (one: MetricsSnapshot) => number): number =>
    snapshots.reduce((total, one) => total + pick(one), 0);
  return {
    routes: Object.fromEntries(routes),
    counters,
    gauges: mapKeys(GAUGES, (name) => sum((one) => one.gauges[name])),
    totals: mapKeys(TOTALS, (name) => sum((one) => one.totals[name])),
  };
}

/** What stays of a worker that has ended: its counts, so that totals never fall; nothing is open there any more. */
export function retireSnapshot(snapshot: MetricsSnapshot): MetricsSnapshot {
  return { ...snapshot, gauges: mapKeys(GAUGES, () => 0) };
}

function addRoutes(a: RouteSnapshot | undefined, b: RouteSnapshot): RouteSnapshot {
  if (a === undefined) return b;
  const add = (left: readonly number[], right: readonly number[]): number[] =>
    right.map((value, at) => value + (left[at] ?? 0));
  return { statuses: add(a.statuses, b.statuses), buckets: add(a.buckets, b.buckets), seconds: a.seconds + b.seconds };
}

function addRecords(records: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const sums = new Map<string, number>();
  for (const record of records)
    for (const [label, value] of Object.entries(record)) sums.set(label, (sums.get(label) ?? 0) + value);
  return Object.fromEntries(sums);
}

function mapKeys<Key extends string, Value>(
  record: Readonly<Record<Key, unknown>>,
  valueOf: (key: Key) => Value,
): Record<Key, Value> {
  return Object.fromEntries((Object.keys(record) as Key[]).map((key) => [key, valueOf(key)])) as Record<Key, Value>;
}
