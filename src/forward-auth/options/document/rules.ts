/** Who may enter, as rules of the gateway: e-mail and groups are both asked for, as the settings do. */
import { MOST_LIST_BYTES, readAtMost } from '../../../core/read-at-most.ts';
import { parseEmails } from '../../serving/email-rules.ts';
import { scalar } from './text.ts';
import type { Settings } from '../../settings.ts';
import type { Notes } from './text.ts';

export interface DocumentRules {
  /** YAML items of `allow`. */
  readonly allow: readonly string[];
  /** Domains whose addresses the provider may vouch for. */
  readonly emailDomains: readonly string[];
}

export function documentRules(settings: Settings, notes: Notes): DocumentRules {
  const emails = emailRules(settings, notes);
  const groups = groupRules(settings, notes);
  const networks = settings.trust.trustedIps.map((cidr) => scalar(`ip:${cidr}`));
  return { allow: [...joined(emails, groups), ...networks], emailDomains: domainsOf(settings, emails) };
}

function joined(emails: readonly string[], groups: readonly string[]): readonly string[] {
  if (emails.length === 0 && groups.length === 0) return ['signed-in'];
  if (emails.length === 0 || groups.length === 0) return [...emails, ...groups].map(scalar);
  return emails.flatMap((email) => groups.map((group) => all([scalar(email), scalar(group)])));
}

function all(rules: readonly string[]): string {
  return `{ all: [${rules.join(', ')}] }`;
}

function emailRules({ admission }: Settings, notes: Notes): readonly string[] {
  const { emailDomains, emailsFile, emails = [] } = admission;
  if (emailDomains.includes('*')) return [];
  const below = emailDomains.filter((domain) => /^\*?\./.test(domain));
  for (const domain of below) notes.add('email_domains', `"${domain}" has no equal: name each domain below it`);
  const exact = emailDomains.filter((domain) => !below.includes(domain)).map((domain) => `email-domain:${domain}`);
  const listed = emailsFile === null ? [] : [...parseEmails(readAtMost(emailsFile, MOST_LIST_BYTES).toString('utf8'))];
  if (emailsFile !== null)
    notes.add(
      'authenticated_emails_file',
      `its addresses of now stand in "allow"; the document takes the place of ${emailsFile}`,
    );
  const rules = [...exact, ...[...emails, ...listed].map((email) => `email:${email}`)];
  // Nothing that could be written: nobody, rather than everybody.
  return rules.length === 0 ? ['email:nobody@invalid'] : rules;
}

function groupRules({ admission, provider }: Settings, notes: Notes): readonly string[] {
  const rules = [
    ...admission.groups.map((group) => groupRule(provider.kind, group)),
    ...provider.roles.map((role) => `role:${role}`),
    ...githubRules(provider, notes),
    ...provider.gitlab.groups.map((group) => `group:${group}`),
  ];
  for (const { path, level } of provider.gitlab.projects)
    notes.add('gitlab_projects', `"${path}=${level}" has no equal: a group of GitLab takes its place`);
  if (provider.google.groups.length > 0)
    notes.add('google_groups', 'groups of Google have no equal: name addresses, or use a provider that tells groups');
  if (provider.bitbucket.team !== null || provider.bitbucket.repository !== null)
    notes.add('bitbucket_team', 'Bitbucket is no provider of the gateway');
  const isLost =
    rules.length === 0 &&
    (provider.gitlab.projects.length > 0 ||
      provider.google.groups.length > 0 ||
      provider.bitbucket.team !== null ||
      provider.bitbucket.repository !== null);
  return isLost ? ['group:write-the-group-here'] : rules;
}

function groupRule(kind: Settings['provider']['kind'], group: string): string {
  if (kind === 'keycloak-oidc' && group.startsWith('role:')) return group;
  if (kind !== 'github') return `group:${group}`;
  return group.includes(':') ? `team:${group.replace(':', '/')}` : `org:${group}`;
}

function githubRules({ kind, github }: Settings['provider'], notes: Notes): readonly string[] {
  if (kind !== 'github') return [];
  const { org, teams, users, repo } = github;
  if (repo !== null) notes.add('github_repo', `access to "${repo}" has no equal: name a team that has it`);
  const ofOrg =
    org === null ? teams.map((team) => `team:${team.replace(':', '/')}`) : teams.map((team) => `team:${org}/${team}`);
  const orgRule = org !== null && teams.length === 0 ? [`org:${org}`] : [];
  const rules = [...users.map((user) => `user:${user}`), ...orgRule, ...ofOrg];
  return repo !== null && rules.length === 0 ? ['team:write/the-team-here'] : rules;
}

function domainsOf({ admission }: Settings, emails: readonly string[]): readonly string[] {
  if (admission.emailDomains.includes('*') || emails.length === 0) return [];
  const named = emails.filter((rule) => rule.startsWith('email:')).map((rule) => rule.slice(rule.indexOf('@') + 1));
  const domains = emails
    .filter((rule) => rule.startsWith('email-domain:'))
    .map((rule) => rule.slice('email-domain:'.length));
  return [...new Set([...domains, ...named])].filter((domain) => domain !== 'invalid');
}
