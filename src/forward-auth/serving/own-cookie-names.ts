/** Names of cookies that are ours: they never reach an app, and no app may set one (oauth2-proxy #1993). */

export type IsOwnCookie = (name: string) => boolean;

/** The session, its parts (`_0`), and sign-ins under way (`_csrf`, `_1a2b3c4d_csrf`). */
export function createOwnCookieTest(base: string): IsOwnCookie {
  return (name) => {
    if (!name.startsWith(base)) return false;
    const rest = name.slice(base.length);
    return rest === '' || /^_(?:\d{1,4}|(?:[A-Za-z0-9_-]{1,16}_)?csrf)$/.test(rest);
  };
}
