/**
 * The last word on whom a provider knows. A login that can be given up and registered again by somebody
 * else (GitHub) belongs for good to the subject that first came with it, once a rule names it.
 */
import type { Person } from '../core/person.ts';
import type { Admission } from './ports.ts';
import type { Provider } from './provider.ts';

export type Admit = (provider: Provider, person: Person) => Promise<Admission>;

export interface PinnedNames {
  /** The subject that the name is pinned to from now on: whoever came first. */
  readonly pinName: (provider: string, name: string, subject: string) => Promise<string>;
  readonly findPinnedName: (provider: string, subject: string) => Promise<string | null>;
}

/** `namedUsers`: "github:user:alice", every person whom a rule names. */
export function createAdmission(sessions: PinnedNames, namedUsers: () => ReadonlySet<string>): Admit {
  return async (provider, person) => {
    if (!provider.pinsNames) return { kind: 'person', person };
    const pinned = await sessions.findPinnedName(provider.id, person.subject);
    // Renamed meanwhile: rules, templates and apps go on to know the name that was pinned.
    if (pinned !== null) return { kind: 'person', person: { ...person, name: pinned } };
    if (!namedUsers().has(`${provider.id}:user:${person.name}`)) return { kind: 'person', person };
    const owner = await sessions.pinName(provider.id, person.name, person.subject);
    if (owner === person.subject) return { kind: 'person', person };
    const remedy = `if it is the same person, run "postern user unpin ${provider.id}:${person.name}"`;
    return {
      kind: 'refused',
      message: `Sign-in by "${provider.id}" refused: the name "${person.name}" belongs to id ${owner}, but id ${person.subject} has it now; ${remedy}`,
    };
  };
}
