/** People of every kind who sign in, and what each then gets. */
import { login } from '../configuration.ts';
import type { Case } from '../configuration.ts';

export const WITH_SESSION: readonly string[] = ['GET /oauth2/auth', 'GET /x', 'GET /oauth2/userinfo'];
export const members: readonly Case[] = ['alice', 'bob', 'carol', 'nomail'].map((person) =>
  login(person, person, '/oauth2/start?rd=%2Fx', WITH_SESSION),
);
