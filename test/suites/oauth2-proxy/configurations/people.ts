/** Who may come in: e-mail domains, a file of e-mails, groups, roles, and the words of a query. */
import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { flow, login, one } from '../configuration.ts';
import type { Case, Configuration } from '../configuration.ts';

const everybody = ['alice', 'bob', 'carol', 'dave', 'twoats', 'suffix'];
const logins = everybody.map((person) =>
  login(person, person, '/oauth2/start?rd=%2Fx', ['GET /oauth2/auth', 'GET /x']),
);

function domains(name: string, value: string): Configuration {
  return { name: `domains-${name}`, env: { EMAIL_DOMAINS: value }, cases: logins };
}

export const emailDomains: readonly Configuration[] = [
  domains('plain', 'example.com'),
  domains('dot', '.example.com'),
  domains('star', '*.example.com'),
  domains('several', 'example.com,other.test'),
  domains('top', '.com'),
  domains('upper', 'EXAMPLE.com'),
];

export const emailsFile: Configuration = {
  name: 'emails-file',
  env: { EMAIL_DOMAINS: null, AUTHENTICATED_EMAILS_FILE: '{dir}/emails.txt' },
  files: {
    'emails.txt': 'alice@example.com\n  DAVE@other.test  \n# bob@corp.example.com\n"carol@example.com"\n',
  },
  cases: logins,
};

/** Not every line has as many columns as the first. */
export const emailsColumns: Configuration = {
  name: 'emails-columns',
  env: { EMAIL_DOMAINS: null, AUTHENTICATED_EMAILS_FILE: '{dir}/emails.txt' },
  files: { 'emails.txt': 'alice@example.com,Alice\ndave@other.test\n' },
  cases: logins,
};

/** Files are read again when they change. */
export const emailsChange: Configuration = {
  name: 'emails-change',
  env: { EMAIL_DOMAINS: null, AUTHENTICATED_EMAILS_FILE: '{dir}/emails.txt' },
  files: { 'emails.txt': 'alice@example.com\n' },
  cases: [
    flow('change', async (side) => {
      const { jar } = await side.signIn('alice', { label: 'alice before' });
      await side.signIn('dave', { label: 'dave before' });
      writeFileSync(`${side.dir}/emails.txt`, 'dave@other.test\n');
      for (let tries = 0; tries < 100; tries++) {
        await sleep(200);
        if ((await side.ask('GET /oauth2/auth', { jar: new Map(jar) })).status >= 400) break;
      }
      await side.ask('GET /oauth2/auth', { jar: new Map(jar) }, 'alice after');
      await side.ask('GET /x', { jar: new Map(jar) }, 'alice at the application');
      await side.signIn('dave', { label: 'dave after' });
    }),
  ],
};

/** E-mail as it comes, confirmed or not; claims by other names. */
export const emailUnverified: Configuration = {
  name: 'email-unverified',
  env: { INSECURE_OIDC_ALLOW_UNVERIFIED_EMAIL: 'true', OIDC_EMAIL_CLAIM: 'email' },
  cases: [
    login('unverified', 'unverified', '/oauth2/start?rd=%2F', ['GET /oauth2/auth']),
    login('no-mail', 'nomail', '/oauth2/start?rd=%2F', ['GET /oauth2/auth']),
  ],
};

/** Either is enough. */
export const emailsAndDomains: Configuration = {
  name: 'emails-and-domains',
  env: { EMAIL_DOMAINS: 'corp.example.com', AUTHENTICATED_EMAILS_FILE: '{dir}/emails.txt' },
  files: { 'emails.txt': 'dave@other.test\n' },
  cases: logins,
};

const members = ['alice', 'bob', 'carol', 'dave'].map((person) =>
  login(person, person, '/oauth2/start?rd=%2Fx', ['GET /oauth2/auth', 'GET /x', 'GET /oauth2/userinfo']),
);

export const allowedGroups: Configuration = {
  name: 'allowed-groups',
  env: { ALLOWED_GROUPS: '/developers,single' },
  cases: [
    ...members,
    one('start', 'GET /oauth2/start'),
    flow('denied-json', async (side) => {
      await side.signIn('bob', { headers: [['Accept', 'application/json']], label: 'sign-in' });
    }),
  ],
};

/** As it stands in the `args:` of a Kubernetes manifest, where no shell takes the quotes away. */
export const quotedGroups: Configuration = {
  name: 'quoted-groups',
  env: {},
  args: ['--allowed-group="/developers"'],
  cases: members,
};

export const groupsClaim: Configuration = {
  name: 'groups-claim',
  env: {
    OIDC_GROUPS_CLAIM: 'preferred_username',
    ALLOWED_GROUPS: 'alice',
    SET_XAUTHREQUEST: 'true',
    OIDC_EMAIL_CLAIM: 'sub',
  },
  cases: members,
};

/** Without a scope of its own, groups are asked for. */
export const groupsScope: Configuration = {
  name: 'groups-scope',
  env: { ALLOWED_GROUPS: '/developers', SCOPE: null },
  cases: [one('start', 'GET /oauth2/start'), ...members.slice(0, 2)],
};

const constraint = (id: string, query: string, as = 'alice'): readonly Case[] => [
  one(id, `GET /oauth2/auth?${query}`, { as }),
  one(`${id}-app`, `GET /x?${query}`, { as }),
];

export const constraints: Configuration = {
  name: 'constraints',
  env: {},
  cases: [
    ...constraint('group', 'allowed_groups=/developers'),
    ...constraint('group-encoded', 'allowed_groups=%2Fdevelopers'),
    ...constraint('group-other', 'allowed_groups=/ops'),
    ...constraint('group-list', 'allowed_groups=/ops,/developers'),
    ...constraint('group-list-spaces', 'allowed_groups=/ops,%20/developers'),
    ...constraint('group-twice', 'allowed_groups=/ops&allowed_groups=/developers'),
    ...constraint('group-case', 'allowed_groups=/Developers'),
    ...constraint('group-plus', 'allowed_groups=+/developers'),
    ...constraint('group-empty', 'allowed_groups='),
    ...constraint('group-commas', 'allowed_groups=,,'),
    ...constraint('group-no-equals', 'allowed_groups'),
    ...constraint('group-bad-percent', 'allowed_groups=%zz'),
    ...constraint('group-semicolon', 'allowed_groups=/ops;x=1'),
    ...constraint('group-semicolon-before', 'x=1;allowed_groups=/ops'),
    ...constraint('group-empty-and-full', 'allowed_groups=&allowed_groups=/ops'),
    ...constraint('group-upper-name', 'Allowed_Groups=/ops'),
    ...constraint('group-encoded-name', 'allowed%5Fgroups=/ops'),
    ...constraint('group-none', 'allowed_groups=/developers', 'bob'),
    ...constraint('group-with-comma', 'allowed_groups=a,b', 'carol'),
    ...constraint('group-comma-encoded', 'allowed_groups=a%2Cb', 'carol'),
    ...constraint('group-utf8', 'allowed_groups=gr%C3%B6%C3%9Fe', 'carol'),
    ...constraint('email', 'allowed_emails=alice@example.com'),
    ...constraint('email-list', 'allowed_emails=bob@example.com,alice@example.com'),
    ...constraint('email-other', 'allowed_emails=bob@example.com'),
    ...constraint('email-case', 'allowed_emails=Alice@example.com'),
    ...constraint('email-stored-case', 'allowed_emails=carol@example.com', 'carol'),
    ...constraint('email-empty', 'allowed_emails='),
    ...constraint('domain', 'allowed_email_domains=example.com'),
    ...constraint('domain-other', 'allowed_email_domains=example.org'),
    ...constraint('domain-dot', 'allowed_email_domains=.example.com'),
    ...constraint('domain-star', 'allowed_email_domains=*.example.com', 'bob'),
    ...constraint('domain-sub', 'allowed_email_domains=example.com', 'bob'),
    ...constraint('domain-dot-sub', 'allowed_email_domains=.example.com', 'bob'),
    ...constraint('domain-dot-case', 'allowed_email_domains=.example.com', 'carol'),
    ...constraint('domain-case', 'allowed_email_domains=example.com', 'carol'),
    ...constraint('domain-suffix', 'allowed_email_domains=example.com', 'suffix'),
    ...constraint('domain-dot-suffix', 'allowed_email_domains=.example.com', 'suffix'),
    ...constraint('domain-two-ats', 'allowed_email_domains=example.com', 'twoats'),
    ...constraint('domain-empty', 'allowed_email_domains='),
    ...constraint(
      'all-three',
      'allowed_groups=/developers&allowed_emails=alice@example.com&allowed_email_domains=example.com',
    ),
    ...constraint('two-of-three', 'allowed_groups=/developers&allowed_emails=bob@example.com'),
    ...constraint('unknown', 'allowed_users=bob&allowed_roles=x'),
    one('stranger', 'GET /oauth2/auth?allowed_groups=/developers'),
    one('userinfo', 'GET /oauth2/userinfo?allowed_groups=/ops', { as: 'alice' }),
    one('app-json', 'GET /x?allowed_groups=/ops', { as: 'alice', headers: [['Accept', 'application/json']] }),
  ],
};

export const semicolons: Configuration = {
  name: 'semicolons',
  env: { ALLOW_QUERY_SEMICOLONS: 'true' },
  cases: [
    ...constraint('after', 'allowed_groups=/ops;x=1'),
    ...constraint('before', 'x=1;allowed_groups=/ops'),
    ...constraint('between', 'allowed_groups=/developers;allowed_emails=bob@example.com'),
    ...constraint('fits', 'x=1;allowed_groups=/developers'),
  ],
};
