/** Names of cookies that are ours: they never reach an app, and no app may set one (oauth2-proxy #1993). */

export type IsOwnCookie = (name: string) => boolean;

/** Where nothing stands against it, the cookie of a sign-in under way has it. */
const HOST_PREFIX = '__Host-';

/** The session, its parts (`_0`), and sign-ins under way (`_csrf`, `_1a2b3c4d_csrf`). */
export function createOwnCookieTest(base: string): IsOwnCookie {
  return (name) => {
    const bare = name.startsWith(HOST_PREFIX) && !base.startsWith(HOST_PREFIX) ? name.slice(HOST_PREFIX.length) : name;
    if (!bare.startsWith(base)) return false;
    const rest = bare.slice(base.length);
    return rest === '' || /^_(?:\d{1,4}|(?:[A-Za-z0-9_-]{1,16}_)?csrf)$/.test(rest);
  };
}
