/** Which settings cannot change while forward-auth runs: what listeners, store and log were opened with. */
import { authorityOf } from '../../forward-auth/keepers/session-key.ts';
import type { Settings } from '../../forward-auth/settings.ts';

type Pick = (settings: Settings) => unknown;

/** Name of an option that stands for each part, and the part. Certificates and secrets of files follow by themselves. */
const FIXED: readonly (readonly [option: string, pick: Pick])[] = [
  ['http_address', ({ server }) => server.http],
  ['https_address', ({ server }) => server.https],
  ['tls_cert_file', ({ server: { tls } }) => tls && [tls.certificateFile, tls.keyFile, tls.minVersion, tls.ciphers]],
  ['metrics_address', ({ metrics }) => [metrics.http, metrics.https, metrics.certificateFile, metrics.keyFile]],
  ['cookie_*', ({ cookie: { secret: _secret, ...rest } }) => rest],
  ['cookie_secret', ({ cookie }) => cookie.secret.read().toString('base64')],
  ['session_store_type', ({ store }) => store],
  // Sessions are sealed for it: what one provider vouched for says nothing of another's people.
  ['provider', ({ provider }) => [provider.kind, authorityOf(provider)]],
  ['logging_*', ({ logging }) => logging],
  ['ping_path', ({ paths }) => paths],
];

/** Names of what differs; none: the new settings can take the place of the old ones. */
export function restartNeeded(before: Settings, after: Settings): readonly string[] {
  return FIXED.filter(([, pick]) => JSON.stringify(pick(before)) !== JSON.stringify(pick(after))).map(([name]) => name);
}
