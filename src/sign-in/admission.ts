/**
 * The last word on whom a provider knows. A login that can be given up and registered again by somebody
 * else (GitHub, GitLab, Gitea) stays with the subject that came with it first: what apps keep under it is theirs, and so is
 * an address with {user.name}. Once a rule names it, its owner is known by it for good, renamed or not.
 */
import type { Person } from '../core/person.ts';
import type { Admit } from './ports.ts';
import type { Provider } from './provider.ts';

export interface PinnedNames {
  /** The subject that the name is pinned to from now on: whoever came first. */
  readonly pinName: (provider: string, name: string, subject: string) => Promise<string>;
  readonly findPinnedName: (provider: string, subject: string) => Promise<string | null>;
  /** The subject that nobody else may have the name of, which gives it no name: whoever came first. */
  readonly keepName: (provider: string, name: string, subject: string) => Promise<string>;
  /** Null: nobody came under it yet. */
  readonly findKeptName: (provider: string, name: string) => Promise<string | null>;
}

/** `namedUsers`: "github:user:alice", every person whom a rule names. */
export function createAdmission(names: PinnedNames, namedUsers: () => ReadonlySet<string>): Admit {
  return async (provider, person, organisations) => {
    if (!provider.pinsNames) return { kind: 'person', person, notes: [] };
    const { id } = provider;
    const subject = numberAt(provider, person.subject);
    const pinned = await names.findPinnedName(id, subject);
    // Renamed meanwhile: rules, templates and apps go on to know the name that was pinned.
    const name = pinned ?? person.name;
    const isNamed = pinned === null && namedUsers().has(`${id}:user:${name}`);
    const first = await names.keepName(id, name, subject);
    const owner = first === subject && isNamed ? await names.pinName(id, name, subject) : first;
    const told = (number: string): string => number.replace(` of ${provider.authority}`, '');
    if (owner === subject) {
      const others = await takenUp(names, { provider, organisations, named: namedUsers() });
      const notes = others.map(({ organisation, id: now, first: before }) =>
        ofOthers(id, organisation, told(before), now),
      );
      return { kind: 'person', person: without({ ...person, name }, others), notes };
    }
    const remedy = `if it is the same person, or that one is gone, run "postern user unpin ${id}:${name}"`;
    return {
      kind: 'refused',
      message: `Sign-in by "${id}" refused: the name "${name}" belongs to id ${told(owner)}, but id ${told(subject)} has it now; ${remedy}`,
    };
  };
}

export type Recognise = (
  provider: Pick<Provider, 'id' | 'authority' | 'pinsNames'>,
  person: Person,
) => Promise<
  { readonly kind: 'person'; readonly person: Person } | { readonly kind: 'refused'; readonly message: string }
>;

/**
 * The same for whoever comes with an access token: under the name that is theirs, and under nobody else's. It makes no name
 * anybody's: a token may be of a job or an app that is called as the person it runs for.
 */
export function createRecognition({
  findPinnedName,
  findKeptName,
}: Pick<PinnedNames, 'findPinnedName' | 'findKeptName'>): Recognise {
  return async (provider, person) => {
    if (!provider.pinsNames) return { kind: 'person', person };
    const { id } = provider;
    const subject = numberAt(provider, person.subject);
    const name = (await findPinnedName(id, subject)) ?? person.name;
    const owner = await findKeptName(id, name);
    if (owner === null || owner === subject) return { kind: 'person', person: { ...person, name } };
    return { kind: 'refused', message: `the name "${name}" of "${id}" belongs to somebody else` };
  };
}

interface TakenUp {
  readonly organisation: string;
  readonly id: string;
  /** Whose name it was before. */
  readonly first: string;
}

/** An organisation may be renamed, and its old name be registered by anybody: what rules say is meant for the first. */
async function takenUp(
  names: PinnedNames,
  {
    provider,
    organisations = NO_ORGANISATIONS,
    named,
  }: {
    readonly provider: Provider;
    readonly organisations: ReadonlyMap<string, string> | undefined;
    readonly named: ReadonlySet<string>;
  },
): Promise<readonly TakenUp[]> {
  const found: TakenUp[] = [];
  for (const [organisation, id] of organisations) {
    if (!named.has(`${provider.id}:org:${organisation}`)) continue;
    const own = numberAt(provider, id);
    const first = await names.keepName(provider.id, `org:${organisation}`, own);
    if (first !== own) found.push({ organisation, id, first });
  }
  return found;
}

const NO_ORGANISATIONS: ReadonlyMap<string, string> = new Map();

function ofOthers(provider: string, organisation: string, before: string, now: string): string {
  return `Organisation "${organisation}" does not count: the name belongs to id ${before}, but id ${now} has it now; if it is the same one, or that one is gone, run "postern user unpin ${provider}:org:${organisation}"`;
}

function without(person: Person, others: readonly TakenUp[]): Person {
  if (others.length === 0) return person;
  const isOthers = (group: string): boolean =>
    others.some(({ organisation }) => group === organisation || group.startsWith(`${organisation}/`));
  return { ...person, groups: person.groups.filter((group) => !isOthers(group)) };
}

/** Another server has other people under the same numbers: should a document name another one, nobody inherits a name. */
function numberAt({ authority }: Pick<Provider, 'authority'>, subject: string): string {
  return authority === GITHUB ? subject : `${subject} of ${authority}`;
}

/** Whose numbers stand alone. */
export const GITHUB = 'https://github.com';
