/** The metrics listener: `/metrics` in Prometheus' text format, and nothing else. */
import { HeaderBlock } from '../../wire/header-block.ts';
import { EXPOSITION_TYPE, writeExposition } from '../../observe/exposition.ts';
import type { Family } from '../../observe/exposition.ts';
import type { ServeExchange } from '../../forward-auth/serving/serve.ts';

export function createMetricsServe(families: () => readonly Family[]): ServeExchange {
  return (exchange) => {
    const { path, method } = exchange.request;
    if (path !== '/metrics' || (method !== 'GET' && method !== 'HEAD')) {
      const headers = HeaderBlock.from({ 'Content-Type': 'text/plain; charset=utf-8' });
      exchange.respondWhole({ status: path === '/metrics' ? 405 : 404, headers }, 'Only GET /metrics is here\n');
      return;
    }
    exchange.respondWhole(
      { status: 200, headers: HeaderBlock.from({ 'Content-Type': EXPOSITION_TYPE }) },
      writeExposition(families()),
    );
  };
}
