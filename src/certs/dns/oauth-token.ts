/** A short-lived token that is fetched first, kept until a minute before it ends. */
import * as z from 'zod';
import type { Api } from './api-client.ts';
import type { Clock } from '../../core/clock.ts';

const TOKEN = z.object({ access_token: z.string().min(1), expires_in: z.number().positive() });
const EARLY_MS = 60_000;

export interface TokenRequest {
  readonly path: string;
  readonly form: () => Promise<Readonly<Record<string, string>>>;
}

export function createTokenSource(
  api: Api,
  request: TokenRequest,
  clock: Clock,
): (signal: AbortSignal) => Promise<string> {
  let kept: { readonly token: string; readonly until: number } | null = null;
  return async (signal) => {
    if (kept !== null && clock.now() < kept.until) return kept.token;
    const text = new URLSearchParams(await request.form()).toString();
    const body = { type: 'application/x-www-form-urlencoded', text };
    const call = { step: 'sign in', method: 'POST', path: request.path, body, signal } as const;
    const { access_token: token, expires_in: seconds } = await api.read(call, TOKEN);
    kept = { token, until: clock.now() + seconds * 1000 - EARLY_MS };
    return token;
  };
}
