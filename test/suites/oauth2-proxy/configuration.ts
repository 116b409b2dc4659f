/** One set of settings for both programs, and what is done to each under it. */
import type { Ask, Jar, Side } from './side.ts';

export interface Case {
  /** Unique within the configuration; `CONFIGURATION/ID` elsewhere. */
  readonly id: string;
  readonly run: (side: Side) => Promise<void>;
}

export interface Configuration {
  readonly name: string;
  /**
   * Without `OAUTH2_PROXY_`, beside those of `BASE`; null takes one of those away. `{app}`, `{socket}`,
   * `{issuer}`, `{dir}` and `{port}` are filled in.
   */
  readonly env: Readonly<Record<string, string | null>>;
  readonly args?: readonly string[];
  readonly files?: Readonly<Record<string, string>>;
  readonly tls?: boolean;
  readonly peers?: readonly string[];
  readonly cases: readonly Case[];
}

/** What every configuration has. 32 bytes are an AES-256 key as they stand. */
export const BASE: Readonly<Record<string, string>> = {
  PROVIDER: 'oidc',
  OIDC_ISSUER_URL: '{issuer}',
  CLIENT_ID: 'front-door',
  CLIENT_SECRET: 'secret-of-the-front-door',
  COOKIE_SECRET: '0123456789abcdef0123456789abcdef',
  EMAIL_DOMAINS: '*',
  UPSTREAMS: '{app}',
  HTTP_ADDRESS: '127.0.0.1:{port}',
  SCOPE: 'openid email profile',
};

export interface OneOptions extends Omit<Ask, 'jar'> {
  /** Who has signed in before. */
  readonly as?: string;
}

/** What would take the session from the cases after it. */
const ENDS_SESSIONS = /\/sign_(?:in|out)/;

async function freshJar(side: Side, person: string): Promise<Jar> {
  const { jar } = await side.signIn(person);
  return jar;
}

/** A case of one request. */
export function one(id: string, line: string, { as, ...ask }: OneOptions = {}): Case {
  return {
    id,
    async run(side) {
      const jar = as === undefined ? null : await (ENDS_SESSIONS.test(line) ? freshJar(side, as) : side.jarOf(as));
      await side.ask(line, { ...ask, ...(jar === null ? {} : { jar }) }, '');
    },
  };
}

/** A case of several steps, each of which notes what it saw under a label of its own. */
export function flow(id: string, run: (side: Side) => Promise<void>): Case {
  return { id, run };
}

/** A sign-in from the start to the callback, then `lines` with that session. */
export function login(id: string, person: string, start: string, lines: readonly string[] = []): Case {
  return flow(id, async (side) => {
    const { jar } = await side.signIn(person, { start, label: 'sign-in' });
    for (const [index, line] of lines.entries()) {
      const label = lines.indexOf(line) === index ? line : `${line} again`;
      await side.ask(line, { jar }, label);
    }
  });
}
