/**
 * Why an address cannot be listened on, in one line with the remedy.
 */
import { PosternError } from '../core/errors.ts';
import { MORE_OPEN_FILES } from '../core/open-files.ts';

export interface ListenTarget {
  readonly host: string | null;
  readonly port: number;
  readonly fd?: number;
  readonly path?: string;
}

const FIRST_FREE_PORT = 1024;
const TOO_LONG = 'the path is longer than the 107 bytes that a socket may have; name a shorter one';

export function listenError(on: ListenTarget, cause: unknown): PosternError {
  const code = cause instanceof Error ? ((cause as NodeJS.ErrnoException).code ?? 'unknown') : 'unknown';
  const name = on.fd === undefined ? spelled(on) : `inherited socket ${on.fd}`;
  const message = `Cannot listen on "${name}": ${reasonOf(on, code)}`;
  return new PosternError('LISTEN_FAILED', message, { address: name, code }, cause);
}

function spelled({ host, port, path }: ListenTarget): string {
  if (path !== undefined) return `unix:${path}`;
  if (host === null) return `:${port}`;
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

function reasonOf(on: ListenTarget, code: string): string {
  switch (code) {
    case 'EADDRINUSE':
      if (on.path !== undefined) return 'another program listens on it; stop that one, or name another file';
      return `another program has it; find it with "ss -ltnp sport = :${on.port}" and stop it, or set another port under listen`;
    case 'EACCES':
    case 'EPERM':
      if (on.path !== undefined) return 'this user may not make the file; give it the folder, or name another one';
      return on.port < FIRST_FREE_PORT
        ? `port ${on.port} needs CAP_NET_BIND_SERVICE; run it by "postern install" (systemd grants it), or set a port from 1024 under listen`
        : 'the system does not allow it; check its security policy (SELinux, AppArmor, seccomp)';
    case 'ENOENT':
      return 'its folder does not exist; make it, or name another one';
    case 'EADDRNOTAVAIL':
      return 'this machine does not have that address; write one of its own, or leave it out to listen on all';
    case 'EMFILE':
    case 'ENFILE':
      return `no file descriptors are left; ${MORE_OPEN_FILES}`;
    case 'EAFNOSUPPORT':
      return 'this machine has no IPv6; write an IPv4 address';
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return 'the name does not resolve; write an IP address';
    case 'EINVAL':
      return on.path === undefined ? notListening(code) : TOO_LONG;
    case 'EBADF':
    case 'ENOTSOCK':
      return notListening(code);
    default:
      return code;
  }
}

function notListening(code: string): string {
  return `the file descriptor is no listening socket (${code}); check the socket unit`;
}
