/** One of the two programs with a provider's twin behind it, and what a person who signs in gets to see. */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePorts } from '../../support/free-ports.ts';
import { createVisitor } from '../../support/visitor.ts';
import { startIn, type ProgramName } from '../oauth2-proxy/programs.ts';

export interface Seen {
  /** Of the address that a person is sent to; what differs at every sign-in, or on purpose, left out. */
  readonly login: Readonly<Record<string, string>>;
  /** Of the callback. */
  readonly status: number;
  readonly userinfo: Readonly<Record<string, unknown>> | null;
  /** Of `/oauth2/auth` afterwards. */
  readonly auth: number;
  readonly headers: Readonly<Record<string, string>>;
}

/** A nonce and PKCE are ours on purpose; the state is new every time. */
const OWN = new Set(['nonce', 'state', 'code_challenge', 'code_challenge_method', 'redirect_uri']);
const HEADERS = [
  'x-auth-request-user',
  'x-auth-request-email',
  'x-auth-request-groups',
  'x-auth-request-preferred-username',
];

export async function signInBy(
  name: ProgramName,
  env: Readonly<Record<string, string>>,
  visit: (url: string) => string,
): Promise<Seen> {
  const dir = mkdtempSync(join(tmpdir(), 'postern-alike-'));
  const [port = 0] = await freePorts(1);
  const running = await startIn(name, dir, {
    port,
    env: {
      OAUTH2_PROXY_HTTP_ADDRESS: `127.0.0.1:${port}`,
      OAUTH2_PROXY_COOKIE_SECRET: randomUUID().replaceAll('-', ''),
      OAUTH2_PROXY_COOKIE_SECURE: 'false',
      OAUTH2_PROXY_EMAIL_DOMAINS: '*',
      OAUTH2_PROXY_SET_XAUTHREQUEST: 'true',
      OAUTH2_PROXY_REDIRECT_URL: `http://localhost:${port}/oauth2/callback`,
      ...env,
    },
  });
  try {
    if ('refused' in running) throw new Error(`${name} refused its settings:\n${running.refused}`);
    return await walk(`http://localhost:${port}`, visit);
  } finally {
    if ('stop' in running) await running.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

async function walk(base: string, visit: (url: string) => string): Promise<Seen> {
  const visitor = createVisitor();
  const start = await visitor.send(`${base}/oauth2/start?rd=%2Fdeep`);
  const location = start.headers.location;
  if (location === undefined) throw new Error(`Cannot begin: ${start.status} ${start.body.slice(0, 500)}`);
  const parameters = [...new URL(location).searchParams].filter(([key]) => !OWN.has(key));
  const back = await visitor.send(visit(location));
  const userinfo = await visitor.send(`${base}/oauth2/userinfo`);
  const auth = await visitor.send(`${base}/oauth2/auth`);
  return {
    login: Object.fromEntries(parameters),
    status: back.status,
    userinfo: userinfo.status === 200 ? sorted(JSON.parse(userinfo.body) as Record<string, unknown>) : null,
    auth: auth.status,
    headers: Object.fromEntries(
      HEADERS.flatMap((header): [string, string][] => {
        const value = auth.headers[header];
        return typeof value === 'string' ? [[header, value.split(',').sort().join(',')]] : [];
      }),
    ),
  };
}

/** The original keeps some groups in a map, which has no order. */
function sorted(userinfo: Record<string, unknown>): Record<string, unknown> {
  const { groups } = userinfo;
  return { ...userinfo, ...(Array.isArray(groups) ? { groups: [...(groups as string[])].sort() } : {}) };
}
