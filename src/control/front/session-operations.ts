/** `postern sessions list` and `revoke` on the data folder of a running `postern forward-auth`. */
import { PosternError } from '../../core/errors.ts';
import { listSessions, revokeById, revokeByName } from '../people.ts';
import type { Sessions } from '../../session/sessions.ts';
import type { SessionLine } from '../people.ts';

export type SessionOperations = {
  'sessions.list': () => Promise<readonly SessionLine[]>;
  'sessions.revoke': (input: { id?: string; user?: string }) => Promise<{ revoked: number }>;
};

export function createSessionOperations(sessions: Sessions): SessionOperations {
  return {
    'sessions.list': () => listSessions(sessions),
    async 'sessions.revoke'({ id, user }) {
      if (user === undefined) return { revoked: await revokeById(sessions, id ?? '') };
      const [, provider, name] = /^([a-z][a-z0-9_-]{0,31}):(?:user:)?(.+)$/.exec(user) ?? [];
      if (provider !== undefined && name !== undefined)
        return { revoked: await revokeByName(sessions, { provider, name }) };
      const shown = [...new Set((await sessions.list()).map(({ person }) => `${person.provider}:${person.name}`))];
      const match = shown.find((one) => one.slice(one.indexOf(':') + 1) === user);
      const remedy = match === undefined ? '"postern sessions list" shows them' : `write "${match}"`;
      throw new PosternError(
        'OPERATION_REFUSED',
        `Cannot revoke sessions of "${user}": name the provider too; ${remedy}`,
      );
    },
  };
}
