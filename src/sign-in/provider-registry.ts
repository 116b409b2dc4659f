/**
 * The providers of the running document. A reload keeps those that did not change, with what they have
 * learned (discovery, keys); the others are closed. What speaks the protocols is loaded when a document
 * has such a provider, and not before.
 */
import type { Provider as ProviderSettings } from '../config/document/providers.ts';
import type { Clock } from '../core/clock.ts';
import type { Provider, Providers } from './provider.ts';

export interface RegistryDeps {
  readonly clock: Clock;
  /** Organisations that rules name, for providers that have to be asked about each. */
  readonly namedOrganisations: (provider: string) => readonly string[];
  /** Groups that rules name, likewise. */
  readonly namedGroups: (provider: string) => readonly string[];
  readonly log: (level: 'info' | 'warn', message: string, facts: Readonly<Record<string, unknown>>) => void;
  /** Keys that a provider signed with and lists no more, by their names. */
  readonly onKeysGone?: (provider: string, kids: ReadonlySet<string>) => void;
  /** Resolves when a provider's answer is to be dealt with; left out: at once. */
  readonly turn?: () => Promise<void>;
  /** Between the pieces of what nobody waits for; left out: one piece. */
  readonly breathe?: (() => Promise<unknown>) | undefined;
}

export interface ProviderRegistry extends Providers {
  /** Makes ready what the document needs, beside what runs; `adopt` swaps. */
  readonly prepare: (settings: readonly ProviderSettings[]) => Promise<PreparedProviders>;
  readonly adopt: (prepared: PreparedProviders) => Adopted;
  readonly close: () => void;
}

interface Held {
  readonly key: string;
  readonly provider: Provider;
}

export interface PreparedProviders {
  readonly held: readonly Held[];
}

/** A swap that may still be taken back: those of before are there until one of these is called. */
export interface Adopted {
  readonly settle: () => void;
  readonly undo: () => void;
}

export function createProviderRegistry(deps: RegistryDeps): ProviderRegistry {
  let running: readonly Held[] = [];
  return {
    find: (id) => running.find(({ provider }) => provider.id === id)?.provider ?? null,
    list: () => running.map(({ provider }) => provider),
    async prepare(settings) {
      const held: Held[] = [];
      for (const one of settings) {
        const key = JSON.stringify({ ...one, at: [] });
        const known = running.find((other) => other.key === key);
        const provider = known?.provider ?? (await create(one, deps));
        if (provider !== null) held.push({ key, provider });
      }
      return { held };
    },
    adopt({ held }) {
      const before = running;
      running = held;
      for (const { provider } of without(held, before)) provider.warm();
      return {
        settle: () => without(before, held).forEach(({ provider }) => provider.close()),
        undo() {
          running = before;
          without(held, before).forEach(({ provider }) => provider.close());
        },
      };
    },
    close() {
      for (const { provider } of running) provider.close();
      running = [];
    },
  };
}

function without(these: readonly Held[], those: readonly Held[]): readonly Held[] {
  return these.filter(({ provider }) => !those.some((other) => other.provider === provider));
}

async function create(settings: ProviderSettings, deps: RegistryDeps): Promise<Provider | null> {
  switch (settings.type) {
    case 'oidc': {
      const { createOidcProvider } = await import('./oidc/provider.ts');
      return createOidcProvider(settings, deps);
    }
    case 'github': {
      const { createGithubProvider } = await import('./github/provider.ts');
      return createGithubProvider(settings, deps);
    }
    default:
      return null;
  }
}
