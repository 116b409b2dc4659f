/** The list of differences and the size of the suite, for `docs/oauth2-proxy.md`. */
import { CONFIGURATIONS, KEYCLOAK_CONFIGURATIONS } from './configurations.ts';
import { DIFFERENCES } from './differences.ts';
import { STARTS } from './starts.ts';

export function printDifferences(): string {
  const cell = (text: string): string => text.replaceAll('|', '\\|');
  const rows = DIFFERENCES.map(
    ({ id, original, postern, reason }) => `| \`${id}\` | ${cell(original)} | ${cell(postern)} | ${cell(reason)} |`,
  );
  const head = ['| | oauth2-proxy 7.15.3 | Postern | why |', '| --- | --- | --- | --- |'];
  return [...head, ...rows].join('\n');
}

export function printExtent(): string {
  const all = [...CONFIGURATIONS, ...KEYCLOAK_CONFIGURATIONS];
  const cases = all.reduce((sum, configuration) => sum + configuration.cases.length, 0);
  return `${cases} cases in ${all.length} configurations (${KEYCLOAK_CONFIGURATIONS.length} of them with Keycloak), and ${STARTS.length} settings that a program starts with or refuses.`;
}
