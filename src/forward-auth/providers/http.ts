/** Requests to a provider, trusting whom the settings trust. */
import { readAtMost } from '../../core/read-at-most.ts';
import { createProviderHttp, type ProviderHttp } from '../../sign-in/provider-http.ts';
import type { ProviderSettings } from '../settings.ts';

export function httpFor(settings: ProviderSettings): ProviderHttp {
  const { caFiles, useSystemTrust, skipTlsVerify } = settings;
  const caPem = caFiles.length === 0 ? null : caFiles.map((file) => readAtMost(file).toString('utf8')).join('\n');
  return createProviderHttp({
    publicOrigin: '',
    internalUrl: null,
    caPem,
    trustsSystem: caPem === null || useSystemTrust,
    skipsTlsVerify: skipTlsVerify,
  });
}
