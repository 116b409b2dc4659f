/** The app behind every gateway: nginx answering 762 bytes from memory, on the load's core. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findPeer } from '../../test/support/peers.ts';
import { startPinned, waitForPort } from './processes.ts';
import type { ChildProcess } from 'node:child_process';

export const BODY: string = 'p'.repeat(761) + '\n';

export async function startApp(dir: string, port: number, core: number): Promise<ChildProcess> {
  mkdirSync(dir, { recursive: true });
  const config = join(dir, 'app.conf');
  writeFileSync(
    config,
    `daemon off; worker_processes 1; pid ${dir}/app.pid; error_log ${dir}/app-error.log crit;
worker_rlimit_nofile 65536;
events { worker_connections 40000; }
http { access_log off; keepalive_requests 100000000; keepalive_timeout 1h; client_body_temp_path ${dir}; proxy_temp_path ${dir};
  fastcgi_temp_path ${dir}; uwsgi_temp_path ${dir}; scgi_temp_path ${dir};
  server { listen 127.0.0.1:${port} backlog=4096; default_type text/plain; location / { return 200 "${BODY.trim()}\\n"; } } }
`,
  );
  const app = startPinned(findPeer('nginx') ?? 'nginx', ['-c', config, '-p', dir], {
    core,
    logFile: join(dir, 'app.log'),
  });
  await waitForPort(port);
  return app;
}
