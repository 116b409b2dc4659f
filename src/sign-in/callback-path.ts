/** Where providers send people back to; what is registered with them. */
export const CALLBACK_PATH = '/.postern/callback/';

export function redirectUriOf(signInUrl: string, providerId: string): string {
  return `${signInUrl}${CALLBACK_PATH}${providerId}`;
}
