/**
 * From snapshots to what Prometheus scrapes: the counters of all workers, the build, the ends of
 * certificates and the process. An own writer: the usual client library keeps a registry of its own, which
 * we would fill at each scrape only to have it written out.
 */
import { readdirSync } from 'node:fs';
import { writeExposition, type Family, type Sample } from './exposition.ts';
import { COUNTERS, DURATION_BUCKETS, GAUGES, TOTALS, type MetricsSnapshot, type RouteSnapshot } from './metrics.ts';

/** Many names make many series; the rest is summed up as the one that ends first. */
const CERTIFICATES_MAX = 500;

export interface MetricsPage {
  readonly snapshot: MetricsSnapshot;
  readonly version: string;
  readonly workers: number;
  readonly isReady: boolean;
  /** Milliseconds since the epoch, of the last reload that was taken; and whether the last one was. */
  readonly reload: { readonly at: number; readonly succeeded: boolean };
  readonly certificates: readonly {
    readonly names: readonly string[];
    readonly notAfter: number;
    readonly source: string;
  }[];
  /** Families of other rooms. */
  readonly more?: readonly Family[];
}

export function metricsText(page: MetricsPage): string {
  return writeExposition([
    ...routeFamilies(page.snapshot.routes),
    ...Object.entries(COUNTERS).map(([key, { name, label, help }]) => {
      const values = Object.entries(page.snapshot.counters[key as keyof typeof COUNTERS]);
      return family(
        name,
        'counter',
        help,
        values.map(([text, value]) => ({ labels: { [label]: text }, value })),
      );
    }),
    ...Object.entries(TOTALS).map(([key, { name, help }]) =>
      single(name, 'counter', help, page.snapshot.totals[key as keyof typeof TOTALS]),
    ),
    ...Object.entries(GAUGES).map(([key, { name, help }]) =>
      single(name, 'gauge', help, page.snapshot.gauges[key as keyof typeof GAUGES]),
    ),
    ...stateFamilies(page),
    ...processFamilies(),
    ...(page.more ?? []),
  ]);
}

function family(name: string, type: Family['type'], help: string, samples: readonly Sample[]): Family {
  return { name, type, help, samples };
}

function single(name: string, type: 'counter' | 'gauge', help: string, value: number): Family {
  return family(name, type, help, [{ value }]);
}

function routeFamilies(routes: MetricsSnapshot['routes']): Family[] {
  const entries = Object.entries(routes);
  const requests = entries.flatMap(([route, { statuses }]) =>
    statuses.flatMap((value, at) => (value === 0 ? [] : [{ labels: { route, status: `${at + 1}xx` }, value }])),
  );
  return [
    family('postern_requests_total', 'counter', 'Requests answered, by route and class of status.', requests),
    family(
      'postern_request_duration_seconds',
      'histogram',
      'From the request head to the end of its answer.',
      entries.flatMap(histogram),
    ),
  ];
}

function histogram([route, { buckets, seconds }]: [string, RouteSnapshot]): Sample[] {
  let sum = 0;
  const samples: Sample[] = buckets.map((value, at) => {
    sum += value;
    return {
      suffix: '_bucket',
      labels: { route, le: at < DURATION_BUCKETS.length ? String(DURATION_BUCKETS[at]) : '+Inf' },
      value: sum,
    };
  });
  return [
    ...samples,
    { suffix: '_sum', labels: { route }, value: seconds },
    { suffix: '_count', labels: { route }, value: sum },
  ];
}

function stateFamilies({ version, workers, isReady, reload, certificates }: MetricsPage): Family[] {
  const ends = new Map<string, Sample>();
  for (const { names, notAfter, source } of certificates.toSorted((a, b) => a.notAfter - b.notAfter)) {
    const name = names[0] ?? '';
    const labels = { name, source };
    if (ends.size < CERTIFICATES_MAX && !ends.has(`${name} ${source}`))
      ends.set(`${name} ${source}`, { labels, value: notAfter / 1000 });
  }
  return [
    family('postern_build_info', 'gauge', 'Always 1; the versions are in the labels.', [
      { labels: { version, node: process.versions.node }, value: 1 },
    ]),
    single('postern_ready', 'gauge', '1 while requests are served.', isReady ? 1 : 0),
    single('postern_workers', 'gauge', 'Edge workers that run.', workers),
    single(
      'postern_config_reload_timestamp_seconds',
      'gauge',
      'When the running configuration was loaded.',
      reload.at / 1000,
    ),
    single(
      'postern_config_reload_succeeded',
      'gauge',
      '1 where the last load was taken, 0 where the old one had to stay.',
      reload.succeeded ? 1 : 0,
    ),
    family('postern_certificate_not_after_seconds', 'gauge', 'When a certificate ends, by its first name.', [
      ...ends.values(),
    ]),
  ];
}

function processFamilies(): Family[] {
  const { user, system } = process.cpuUsage();
  const { rss, heapUsed } = process.memoryUsage();
  const startedAt = performance.timeOrigin / 1000;
  const fds = openFds();
  return [
    single('process_cpu_seconds_total', 'counter', 'CPU time of the whole process.', (user + system) / 1e6),
    single('process_resident_memory_bytes', 'gauge', 'Resident memory of the whole process.', rss),
    single('nodejs_heap_used_bytes', 'gauge', 'Heap of the control thread.', heapUsed),
    single('process_start_time_seconds', 'gauge', 'When the process started, since the epoch.', startedAt),
    ...(fds === null ? [] : [single('process_open_fds', 'gauge', 'Open file descriptors.', fds)]),
  ];
}

function openFds(): number | null {
  try {
    return readdirSync('/proc/self/fd').length;
  } catch {
    return null;
  }
}
