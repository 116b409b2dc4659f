/**
 * What the gate needs from elsewhere. The edge worker hands these in: they ask the control thread,
 * which alone reads and writes the store.
 */
import type { BearerAnswer, SessionAnswer } from '../session/record.ts';

export type {
  Answer,
  CredentialView,
  BearerAnswer,
  BearerView,
  SessionAnswer,
  SessionChange,
  SessionView,
  TokenAnswer,
} from '../session/record.ts';

export type FindSession = (key: string) => Promise<SessionAnswer>;
/** A machine's token by its hash. */
export type FindToken = (key: string) => Promise<BearerAnswer>;

/** Verifies an access token of a provider. */
export type VerifyBearer = (provider: string, token: string) => Promise<BearerAnswer>;

/** Verifies a machine's password in the hash threads. `busy`: the bounded queue or the address's cost ceiling is full. */
export type VerifyPassword = (service: string, password: string, peer: string) => Promise<'ok' | 'wrong' | 'busy'>;
