/** `postern sessions list` and `revoke` on the data folder of a running `postern forward-auth`. */
import { PosternError } from '../../core/errors.ts';
import { listSessions, revokeById, revokeByName } from '../people.ts';
import type { SessionDesk } from '../../forward-auth/keepers/session-desk.ts';
import type { RevokeAnswer, SessionLine } from '../people.ts';

export type SessionOperations = {
  'sessions.list': () => Promise<readonly SessionLine[]>;
  'sessions.revoke': (input: { id?: string; user?: string }) => Promise<RevokeAnswer>;
};

export function createSessionOperations(desk: SessionDesk): SessionOperations {
  return {
    'sessions.list': () => listSessions(desk),
    async 'sessions.revoke'({ id, user }) {
      if (user === undefined) return { revoked: await revokeById(desk, id ?? '') };
      const [, provider, name] = /^([a-z][a-z0-9_-]{0,31}):(?:user:)?(.+)$/.exec(user) ?? [];
      if (provider === undefined || name === undefined) throw await withoutProvider(desk, user);
      if (desk.revokeUnseen === null) return { revoked: await revokeByName(desk, { provider, name }) };
      return { revoked: await desk.revokeUnseen(provider, name), coversUnseen: true };
    },
  };
}

async function withoutProvider(desk: SessionDesk, user: string): Promise<PosternError> {
  const shown = [...new Set((await desk.list()).map(({ person }) => `${person.provider}:${person.name}`))];
  const match = shown.find((one) => one.slice(one.indexOf(':') + 1) === user);
  const remedy = match === undefined ? '"postern sessions list" shows them' : `write "${match}"`;
  return new PosternError('OPERATION_REFUSED', `Cannot revoke sessions of "${user}": name the provider too; ${remedy}`);
}
