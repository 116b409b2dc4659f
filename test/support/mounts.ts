/** What needs a mount of its own: a small disk, another hosts file. Root in a container or on a test machine has it. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** For `skip`: false where mounts are allowed, else the reason. */
export function canMount(what: 'disk' | 'hosts'): string | false {
  const dir = mkdtempSync(join(tmpdir(), 'postern-mount-'));
  try {
    const disk = ['sh', '-c', `mount -t tmpfs -o size=64k tmpfs ${dir}`];
    const hosts = ['sh', '-c', 'mount --bind /etc/hosts /etc/hosts'];
    execFileSync('unshare', ['--mount', ...(what === 'disk' ? disk : hosts)], { stdio: 'ignore' });
    return false;
  } catch {
    return 'needs the right to mount';
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Command before another: it sees this file as /etc/hosts. The process keeps its id. */
export function withHostsFile(file: string): string[] {
  return ['unshare', '--mount', 'sh', '-c', `mount --bind "${file}" /etc/hosts && exec "$@"`, 'sh'];
}

export interface SmallDisk {
  readonly dir: string;
  readonly close: () => void;
}

export function openSmallDisk(size: string): SmallDisk {
  const dir = mkdtempSync(join(tmpdir(), 'postern-disk-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', dir]);
  return {
    dir,
    close() {
      execFileSync('umount', ['--lazy', dir]);
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
