/** Google's OAuth for service accounts (RFC 7523): a JWT signed with the account's key buys an access token. */
import * as z from 'zod';
import type { Answer } from './answer-shape.ts';
import { type ApiOptions, createApi, type Draft } from './api-client.ts';
import { createTokenSource } from './oauth-token.ts';
import type { ProviderTools } from './tools.ts';

export const SERVICE_ACCOUNT: z.ZodType<ServiceAccount> = z.object({
  project_id: z.string(),
  client_email: z.string(),
  private_key: z.string().includes('PRIVATE KEY'),
});

export interface ServiceAccount {
  readonly project_id: string;
  readonly client_email: string;
  readonly private_key: string;
}

const ORIGIN = 'https://oauth2.googleapis.com';
const SCOPE = 'https://www.googleapis.com/auth/ndev.clouddns.readwrite';
const LIFE_S = 3600;

export function createGoogleLogin(
  account: ServiceAccount,
  shared: Omit<ApiOptions, 'base'>,
  tools: ProviderTools,
): (draft: Draft, signal: AbortSignal) => Promise<Record<string, string>> {
  const isRefusal = ({ status }: Answer): boolean => status === 400;
  const api = createApi({ ...shared, base: ORIGIN, isRefusal }, tools);
  const form = async (): Promise<Record<string, string>> => ({
    grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
    assertion: await assertionOf(account, Math.floor(tools.clock.now() / 1000)),
  });
  const token = createTokenSource(api, { path: '/token', form }, tools.clock);
  return async (_, signal) => ({ authorization: `Bearer ${await token(signal)}` });
}

async function assertionOf(account: ServiceAccount, now: number): Promise<string> {
  // Only who uses Google needs it.
  const { importPKCS8, SignJWT } = await import('jose');
  return new SignJWT({ scope: SCOPE })
    .setProtectedHeader({ alg: 'RS256', typ: 'JWT' })
    .setIssuer(account.client_email)
    .setAudience(`${ORIGIN}/token`)
    .setIssuedAt(now)
    .setExpirationTime(now + LIFE_S)
    .sign(await importPKCS8(account.private_key, 'RS256'));
}
