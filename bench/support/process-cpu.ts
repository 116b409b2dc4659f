/** CPU time and memory of a process and its children, from /proc: what the kernel accounted, not what a tool sampled. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

const TICKS_PER_SECOND = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

interface Stat {
  readonly pid: number;
  readonly parent: number;
  readonly cpuSeconds: number;
}

function readStat(pid: number): Stat | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return { pid, parent: Number(fields[1]), cpuSeconds: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND };
  } catch {
    return null;
  }
}

/** The process and everything below it. */
export function processTree(root: number): number[] {
  const stats = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => readStat(Number(name)));
  const found = new Set([root]);
  for (let grew = true; grew;) {
    grew = false;
    for (const stat of stats) {
      if (stat !== null && found.has(stat.parent) && !found.has(stat.pid)) grew = Boolean(found.add(stat.pid));
    }
  }
  return [...found];
}

export function cpuSeconds(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + (readStat(pid)?.cpuSeconds ?? 0), 0);
}

export interface ThreadTime {
  readonly id: string;
  readonly name: string;
  readonly seconds: number;
  /** It could have run, and something else did. */
  readonly waitedSeconds: number;
}

/** CPU time of each thread of a process, to the nanosecond. */
export function threadSeconds(pid: number): readonly ThreadTime[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((id) => {
    try {
      const [ran = '0', waited = '0'] = readFileSync(`/proc/${pid}/task/${id}/schedstat`, 'utf8').split(' ');
      const name = readFileSync(`/proc/${pid}/task/${id}/comm`, 'utf8').trim();
      return [{ id, name, seconds: Number(ran) / 1e9, waitedSeconds: Number(waited) / 1e9 }];
    } catch {
      // It ended meanwhile.
      return [];
    }
  });
}

/** What one core was busy with, whoever had it. */
export function coreSeconds(core: number): number {
  const line = new RegExp(`^cpu${core} (.*)$`, 'm').exec(readFileSync('/proc/stat', 'utf8'))?.[1] ?? '';
  const [user = 0, nice = 0, system = 0, , , interrupts = 0, soft = 0, stolen = 0] = line.split(' ').map(Number);
  return (user + nice + system + interrupts + soft + stolen) / TICKS_PER_SECOND;
}

/** Resident memory in bytes, without what several processes share counted twice (Pss). */
export function residentBytes(pids: readonly number[]): number {
  let sum = 0;
  for (const pid of pids) {
    try {
      const kib = /^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1];
      sum += Number(kib ?? 0) * 1024;
    } catch {
      // The process ended between listing and reading.
    }
  }
  return sum;
}
