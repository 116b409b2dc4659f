// Stands for systemd: opens a listening socket, never takes a connection from it, and runs a command with it as
// descriptor 3, as often as it is told. Its event loop stands still meanwhile, so that whoever connects waits.
import { spawnSync } from 'node:child_process';
import net from 'node:net';

const [port, runs, ...command] = process.argv.slice(2);
const server = net.createServer();
server.listen({ port: Number(port), host: '127.0.0.1', backlog: 128 }, () => {
  for (let run = 0; run < Number(runs); run++) {
    const script = 'export LISTEN_PID=$$ LISTEN_FDS=1; exec "$@"';
    const { status } = spawnSync('sh', ['-c', script, 'sh', ...command], {
      stdio: ['ignore', 'inherit', 'inherit', server._handle.fd],
    });
    process.stdout.write(`run ${run} ended with ${status}\n`);
  }
  process.exit(0);
});
