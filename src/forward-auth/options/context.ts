/** What building settings needs beside what was said: files, variables, time. */
import type { Findings } from './finding.ts';
import type { Structured } from './structured.ts';
import type { Told } from './told.ts';

export interface BuildContext {
  readonly told: Told;
  readonly structured: Structured;
  readonly findings: Findings;
  /** Of `fromEnv` and the federated token. */
  readonly variables: ReadonlyMap<string, string>;
  /** Monotonic milliseconds, for files that are looked at again. */
  readonly now: () => number;
  readonly sessionMode: 'server' | 'stateless';
  readonly deniedStatus: 401 | 403;
}
