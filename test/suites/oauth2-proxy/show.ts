/**
 * Prints what a program answers: `node test/suites/oauth2-proxy/show.ts oauth2-proxy|postern [CONFIGURATION[/CASE]]`.
 * Those with Keycloak, which takes a while to start, only where they are named. POSTERN_SHOW_LOG=1 adds the log.
 */
import { CONFIGURATIONS, KEYCLOAK_CONFIGURATIONS } from './configurations.ts';
import { startKeycloakWithClient } from './keycloak-client.ts';
import { runOn } from './pair.ts';
import type { ProgramName } from './programs.ts';
import { startProvider } from './provider.ts';

const [name = 'oauth2-proxy', wanted = ''] = process.argv.slice(2);
const [wantedConfiguration = '', wantedCase = ''] = wanted.split('/');
const isKeycloak = wantedConfiguration.startsWith('keycloak');
const keycloak = isKeycloak ? await startKeycloakWithClient() : null;
const local = await startProvider();
const provider = { ...local, issuer: keycloak?.issuer ?? local.issuer };
for (const configuration of isKeycloak ? KEYCLOAK_CONFIGURATIONS : CONFIGURATIONS) {
  const isWanted = [configuration.name, '', 'keycloak'].includes(wantedConfiguration);
  if (!isWanted) continue;
  const cases = configuration.cases.filter(({ id }) => id.startsWith(wantedCase));
  const seen = await runOn(name as ProgramName, { ...configuration, cases }, { provider }).catch((error: unknown) => {
    console.log(`\n${configuration.name}: ${String(error)}`);
    return new Map<string, never>();
  });
  for (const [id, steps] of seen) {
    for (const [label, facets] of steps) {
      console.log(`\n${configuration.name}/${id}${label === '' ? '' : ` · ${label}`}`);
      for (const [facet, value] of facets) console.log(`  ${facet}: ${value.trimEnd().replaceAll('\n', '\n    ')}`);
    }
  }
}
await local.close();
await keycloak?.close();
