/**
 * What an app learns about the visitor. Values are made once for a person and cached with it. Text that is
 * not ASCII goes out as UTF-8; control characters never do. An e-mail counts only if it was verified.
 */
import type { Identity, Person } from '../core/person.ts';

export type IdentityHeaders = readonly (readonly [name: string, value: string])[];

const NOBODY: IdentityHeaders = [];
const ofPerson = new WeakMap<Person, IdentityHeaders>();
const ofMachine = new Map<string, IdentityHeaders>();

export function identityHeaders(identity: Identity): IdentityHeaders {
  if (identity.kind === 'anonymous') return NOBODY;
  if (identity.kind !== 'person') {
    let known = ofMachine.get(identity.name);
    if (known === undefined)
      ofMachine.set(identity.name, (known = [['X-Forwarded-User', toFieldValue(identity.name)]]));
    return known;
  }
  let known = ofPerson.get(identity.person);
  if (known === undefined) ofPerson.set(identity.person, (known = describe(identity.person)));
  return known;
}

function describe(person: Person): IdentityHeaders {
  const headers: (readonly [string, string])[] = [['X-Forwarded-User', toFieldValue(person.name)]];
  headers.push(['X-Forwarded-Preferred-Username', toFieldValue(person.name)]);
  if (person.email !== null && person.emailVerified) headers.push(['X-Forwarded-Email', toFieldValue(person.email)]);
  // A comma in a name would make one group look like two.
  const groups = person.groups.filter((group) => !group.includes(','));
  if (groups.length > 0) headers.push(['X-Forwarded-Groups', groups.map(toFieldValue).join(',')]);
  if (person.displayName !== '') headers.push(['X-Forwarded-Name', toFieldValue(person.displayName)]);
  return headers;
}

function toFieldValue(text: string): string {
  return Buffer.from(text.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, ''), 'utf8')
    .toString('latin1')
    .trim();
}
