/** Who a session is of, as operators see it in a list and name it to end it. */
import type { Person } from '../../core/person.ts';
import type { AuthSession } from '../auth-session.ts';

/** `kind`: of the provider. */
export function listedPerson(kind: string, session: AuthSession): Person {
  const { user, email, groups, preferredUsername } = session;
  return {
    provider: session.via === 'htpasswd' ? 'htpasswd' : listedProvider(kind),
    subject: user === '' ? email : user,
    name: [email, preferredUsername, user].find((text) => text !== '') ?? '',
    displayName: preferredUsername,
    email: email === '' ? null : email,
    emailVerified: false,
    groups,
    roles: [],
    amr: [],
  };
}

/** A name that operators can type: letters, digits and "-". */
export function listedProvider(kind: string): string {
  return kind.replaceAll('.', '-');
}
