/** Requests to a provider, trusting whom the settings trust. */
import { readFileSync } from 'node:fs';
import { createProviderHttp, type ProviderHttp } from '../../sign-in/provider-http.ts';
import type { ProviderSettings } from '../settings.ts';

export function httpFor(settings: ProviderSettings): ProviderHttp {
  const { caFiles, useSystemTrust, skipTlsVerify } = settings;
  const caPem = caFiles.length === 0 ? null : caFiles.map((file) => readFileSync(file, 'utf8')).join('\n');
  return createProviderHttp({
    publicOrigin: '',
    internalUrl: null,
    caPem,
    trustsSystem: caPem === null || useSystemTrust,
    skipsTlsVerify: skipTlsVerify,
  });
}
