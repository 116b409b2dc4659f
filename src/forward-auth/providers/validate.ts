/** `validate-url`: whether the provider still knows the access token. */
import type { ProviderHttp } from '../../sign-in/provider-http.ts';
import type { AuthSession } from '../auth-session.ts';
import type { ProviderSettings } from '../settings.ts';
import { Outage, Refusal } from '../../sign-in/oauth/failures.ts';

export interface ValidationParts {
  readonly settings: Pick<ProviderSettings, 'validateUrl'>;
  readonly http: ProviderHttp;
}

export async function validateToken({ settings, http }: ValidationParts, session: AuthSession): Promise<true> {
  const { validateUrl } = settings;
  if (validateUrl === null || validateUrl === '' || session.via !== 'provider') return true;
  if (session.accessToken === '') throw new Refusal('the session has no access token to ask "validate-url" about');
  const { status } = await http.fetch(validateUrl, {
    headers: { authorization: `Bearer ${session.accessToken}`, accept: 'application/json' },
  });
  if (status === 200) return true;
  if (status >= 500 || status === 429) throw new Outage(`"validate-url" answered ${status}`);
  throw new Refusal(`"validate-url" answered ${status}: the access token does not count any more`);
}
