/** The app behind every gateway: nginx answering 762 bytes from memory, on the load's core. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findPeer } from '../../test/support/peers.ts';
import { startPinned, waitForPort } from './processes.ts';
import type { ChildProcess } from 'node:child_process';

export const BODY: string = 'p'.repeat(761) + '\n';

/** `statusPort`: where it tells how many requests it has answered; left out: nowhere. */
// oxlint-disable-next-line max-params -- three plain facts, and one that few want
export async function startApp(
  dir: string,
  port: number,
  core: number,
  statusPort: number | null = null,
): Promise<ChildProcess> {
  mkdirSync(dir, { recursive: true });
  const config = join(dir, 'app.conf');
  const status = statusPort === null ? '' : `server { listen 127.0.0.1:${statusPort}; location / { stub_status; } }`;
  writeFileSync(
    config,
    `daemon off; worker_processes 1; pid ${dir}/app.pid; error_log ${dir}/app-error.log crit;
worker_rlimit_nofile 65536;
events { worker_connections 40000; }
http { access_log off; keepalive_requests 100000000; keepalive_timeout 1h; client_body_temp_path ${dir}; proxy_temp_path ${dir};
  fastcgi_temp_path ${dir}; uwsgi_temp_path ${dir}; scgi_temp_path ${dir};
  server { listen 127.0.0.1:${port} backlog=4096; default_type text/plain; location / { return 200 "${BODY.trim()}\\n"; } }
  ${status} }
`,
  );
  const app = startPinned(findPeer('nginx') ?? 'nginx', ['-c', config, '-p', dir], {
    core,
    logFile: join(dir, 'app.log'),
  });
  await waitForPort(port);
  return app;
}
