/**
 * GitLab: names, groups and their paths by the profile, and rights to projects by its API as groups
 * `project:path`. All of it is asked again at every refresh; a project that cannot be asked about is none.
 */
import type { AuthSession } from '../../auth-session.ts';
import type { ProviderSettings } from '../../settings.ts';
import { isTrue, textsOf } from '../claims.ts';
import { isMap, textOf } from '../../../sign-in/oauth/json.ts';
import { NotAdmitted, Refusal } from '../../../sign-in/oauth/failures.ts';
import { askApi, askApiFor } from '../../../sign-in/oauth/api.ts';
import type { Metadata } from '../oidc/metadata.ts';
import type { Enrichment, OidcKind } from '../oidc/parts.ts';

const PREFIX = 'project:';

export const GITLAB: OidcKind = {
  name: 'GitLab',
  scope: 'openid email',
  asksForGroups: false,
  needsEmail: true,
  finalScope: withProjects,
  allowedGroups: ({ gitlab }) => [...gitlab.groups, ...gitlab.projects.map(({ path }) => PREFIX + path)],
  enrich,
};

function withProjects({ gitlab }: ProviderSettings, scope: string): string {
  const isThere = gitlab.projects.length === 0 || scope.split(' ').includes('read_api');
  return isThere ? scope : `${scope} read_api`;
}

async function enrich(enrichment: Enrichment): Promise<AuthSession> {
  const { parts, metadata, session, claims, step } = enrichment;
  if (step === 'bearer') return { ...session, groups: withoutProjects(session.groups) };
  const url = metadata.profileUrl ?? `${new URL(metadata.loginUrl).origin}/oauth/userinfo`;
  const profile = await askApiFor(parts.http, { url, accessToken: session.accessToken });
  if (profile['sub'] !== undefined && claims['sub'] !== undefined && profile['sub'] !== claims['sub'])
    throw new Refusal('the profile address answered for another person');
  if (!parts.settings.oidc.allowUnverifiedEmail && !isTrue(profile['email_verified']))
    throw new NotAdmitted('the address of the person is not verified');
  const groups = textsOf(profile['groups']);
  return {
    ...session,
    user: textOf(profile['nickname']) ?? session.user,
    email: textOf(profile['email']) ?? session.email,
    groups: [...withoutProjects(groups.length > 0 ? groups : session.groups), ...(await projectsOf(enrichment))],
  };
}

/** A group of that spelling would pass for a project. */
function withoutProjects(groups: readonly string[]): readonly string[] {
  return groups.filter((group) => !group.startsWith(PREFIX));
}

async function projectsOf({ parts, metadata, session }: Enrichment): Promise<readonly string[]> {
  const found: string[] = [];
  for (const { path, level } of parts.settings.gitlab.projects) {
    const reached = await levelAt(parts, metadata, { path, accessToken: session.accessToken });
    if (reached >= level) found.push(PREFIX + path);
  }
  return found;
}

/** 0: none, or it is archived. */
async function levelAt(
  { http, deps, settings }: Enrichment['parts'],
  metadata: Metadata,
  { path, accessToken }: { readonly path: string; readonly accessToken: string },
): Promise<number> {
  const base = `${new URL(metadata.loginUrl).origin}/api/v4/projects/`;
  const response = await askApi(http, { url: base + encodeURIComponent(path), accessToken });
  if (response.status === 403)
    deps.log.warn(
      { provider: settings.kind, project: path },
      'GitLab may not be asked about a project: "scope" needs "read_api"',
    );
  if (response.status !== 200) return 0;
  const project: unknown = await response.json().catch(() => null);
  if (!isMap(project) || project['archived'] === true || !isMap(project['permissions'])) return 0;
  const { project_access: own, group_access: byGroup } = project['permissions'];
  // The project's own word counts before the group's, as in the original.
  const access = isMap(own) ? own : byGroup;
  const level = isMap(access) ? access['access_level'] : undefined;
  return typeof level === 'number' ? level : 0;
}
