/**
 * The last word on whom a provider knows. A login that can be given up and registered again by somebody
 * else (GitHub, GitLab, Gitea) stays with the subject that came with it first: what apps keep under it is theirs, and so is
 * an address with {user.name}. Once a rule names it, its owner is known by it for good, renamed or not.
 */
import type { Person } from '../core/person.ts';
import type { Admission } from './ports.ts';
import type { Provider } from './provider.ts';

export type Admit = (provider: Provider, person: Person) => Promise<Admission>;

export interface PinnedNames {
  /** The subject that the name is pinned to from now on: whoever came first. */
  readonly pinName: (provider: string, name: string, subject: string) => Promise<string>;
  readonly findPinnedName: (provider: string, subject: string) => Promise<string | null>;
  /** The subject that nobody else may have the name of, which gives it no name: whoever came first. */
  readonly keepName: (provider: string, name: string, subject: string) => Promise<string>;
}

/** `namedUsers`: "github:user:alice", every person whom a rule names. */
export function createAdmission(names: PinnedNames, namedUsers: () => ReadonlySet<string>): Admit {
  return async (provider, person) => {
    if (!provider.pinsNames) return { kind: 'person', person };
    const { id } = provider;
    const subject = numberAt(provider, person.subject);
    const pinned = await names.findPinnedName(id, subject);
    // Renamed meanwhile: rules, templates and apps go on to know the name that was pinned.
    const name = pinned ?? person.name;
    const isNamed = pinned === null && namedUsers().has(`${id}:user:${name}`);
    const first = await names.keepName(id, name, subject);
    const owner = first === subject && isNamed ? await names.pinName(id, name, subject) : first;
    if (owner === subject) return { kind: 'person', person: { ...person, name } };
    const told = (number: string): string => number.replace(` of ${provider.authority}`, '');
    const remedy = `if it is the same person, or that one is gone, run "postern user unpin ${id}:${name}"`;
    return {
      kind: 'refused',
      message: `Sign-in by "${id}" refused: the name "${name}" belongs to id ${told(owner)}, but id ${told(subject)} has it now; ${remedy}`,
    };
  };
}

/** Another server has other people under the same numbers: should a document name another one, nobody inherits a name. */
function numberAt({ authority }: Provider, subject: string): string {
  return authority === GITHUB ? subject : `${subject} of ${authority}`;
}

const GITHUB = 'https://github.com';
