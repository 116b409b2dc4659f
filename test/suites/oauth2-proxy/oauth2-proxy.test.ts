/**
 * The real oauth2-proxy and Postern, from the same settings, in front of the same application and provider:
 * the same bytes and the same sign-ins, answer beside answer. POSTERN_ONLY names configurations.
 */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import type { Keycloak } from '../../support/keycloak.ts';
import { findPeer, skipWithout } from '../../support/peers.ts';
import { compare, printUnlike, unlistedOf } from './compare.ts';
import type { Unlike } from './compare.ts';
import type { Configuration } from './configuration.ts';
import { CONFIGURATIONS, KEYCLOAK_CONFIGURATIONS } from './configurations.ts';
import { DIFFERENCES } from './differences.ts';
import type { Where } from './differences/difference.ts';
import { startKeycloakWithClient } from './keycloak-client.ts';
import { runOn, tryStart } from './pair.ts';
import type { Around } from './pair.ts';
import { startProvider } from './provider.ts';
import type { Provider } from './provider.ts';
import { STARTS } from './starts.ts';

const printed = (_: string, value: unknown): unknown => (value instanceof RegExp ? String(value) : value);
const only = process.env['POSTERN_ONLY']?.split(',');
const isChosen = ({ name }: { readonly name: string }): boolean => only?.includes(name) ?? true;
const missingOf = ({ peers = [] }: Configuration): string[] => peers.filter((peer) => findPeer(peer) === null);
const isWhole = only === undefined && CONFIGURATIONS.every((configuration) => missingOf(configuration).length === 0);
const withKeycloak = KEYCLOAK_CONFIGURATIONS.filter(isChosen);
const hasKeycloak = findPeer('kc') !== null && withKeycloak.length > 0;

suite('Postern answers as oauth2-proxy does', { skip: skipWithout('oauth2-proxy') }, () => {
  let provider: Provider;
  /** Takes its time: everything else runs meanwhile. */
  let keycloak: Promise<Keycloak> | null = null;
  const seen = new Set<Where>();

  before(async () => {
    if (hasKeycloak) {
      keycloak = startKeycloakWithClient();
      keycloak.catch(() => undefined);
    }
    provider = await startProvider();
  });
  after(async () => {
    await provider?.close();
    await keycloak?.then(
      (running) => running.close(),
      () => undefined,
    );
  });

  const expectListed = (unlike: readonly Unlike[]): void => {
    const unlisted = unlistedOf(unlike, DIFFERENCES, (where) => seen.add(where));
    assert.ok(unlisted.length === 0, `Differences that are not listed:\n${printUnlike(unlisted)}`);
  };
  const expectLike = async (configuration: Configuration, near: Around): Promise<void> => {
    const [original, postern] = await Promise.all([
      runOn('oauth2-proxy', configuration, near),
      runOn('postern', configuration, near),
    ]);
    expectListed(compare(configuration.name, original, postern));
  };

  suite('by configuration', { concurrency: 2 }, () => {
    for (const configuration of CONFIGURATIONS.filter(isChosen)) {
      const missing = missingOf(configuration);
      test(configuration.name, { skip: missing.length > 0 && skipWithout(...missing) }, () =>
        expectLike(configuration, { provider }),
      );
    }

    test(
      'settings that are started with or refused',
      { skip: !isChosen({ name: 'starts' }) && 'not chosen' },
      async () => {
        const waiting = [...STARTS];
        const unlike: Unlike[] = [];
        const work = async (): Promise<void> => {
          for (let start = waiting.shift(); start !== undefined; start = waiting.shift()) {
            const original = await tryStart('oauth2-proxy', start, { provider });
            const postern = await tryStart('postern', start, { provider });
            const words = (starts: boolean): string => (starts ? 'starts' : 'refuses');
            if (original.starts !== postern.starts) {
              const [one, other] = [words(original.starts), words(postern.starts)];
              unlike.push({ at: `starts/${start.id}`, facet: 'start', original: one, postern: other });
            }
          }
        };
        await Promise.all([work(), work(), work()]);
        expectListed(unlike);
      },
    );

    for (const configuration of withKeycloak) {
      test(configuration.name, { skip: skipWithout('kc') }, async () => {
        const { issuer } = (await keycloak) ?? { issuer: '' };
        const idToken = (): never => {
          throw new Error('Cannot sign in the name of Keycloak');
        };
        await expectLike(configuration, { provider: { ...provider, issuer, idToken } });
      });
    }
  });

  test('every listed difference occurs', { skip: !isWhole && 'not all configurations ran' }, () => {
    const gone = DIFFERENCES.flatMap(({ id, where }) =>
      where.filter((one) => !seen.has(one)).map((one) => `${id}: ${JSON.stringify(one, printed)}`),
    );
    assert.deepEqual(gone, []);
  });
});
