/** `postern ca export`: the roots of the local CA. Reads files only, so it works while Postern runs. */
import { join } from 'node:path';
import { systemClock } from '../core/clock.ts';
import { PosternError } from '../core/errors.ts';
import { createLocalCa } from '../certs/local-ca.ts';
import { print } from './terminal.ts';

export function exportRoot(dataDir: string): void {
  const ca = createLocalCa({ directory: join(dataDir, 'ca'), clock: systemClock, onNotice: () => undefined });
  const pem = ca.exportRootPem();
  if (pem === null)
    throw new PosternError(
      'OPERATION_REFUSED',
      `Cannot export: "${dataDir}" has no local CA yet; start Postern once with a *.localhost host or "tls: local"`,
    );
  print(pem.trimEnd());
}
