/**
 * Whom the settings of GitHub let in, by groups `org` and `org:team`: an organisation (its case counts), teams
 * of it or of any, and people by name, who need neither.
 */
import type { ProviderSettings } from '../../settings.ts';
import { NotAdmitted, type Refusal } from '../../../sign-in/oauth/failures.ts';

export type GithubSettings = ProviderSettings['github'];

export interface Account {
  readonly login: string;
  readonly groups: readonly string[];
}

/** Null: let in, as far as it hangs on these. */
export function refusalOf(settings: GithubSettings, { login, groups }: Account): Refusal | null {
  const { org, teams, users, repo } = settings;
  if (users.includes(login)) return null;
  // With nothing else that could let anybody in, the list is all there is; a team alone does not count beside it.
  if (users.length > 0 && org === null && repo === null)
    return new NotAdmitted(`"${login}" is not among "github-user"`);
  if (org !== null && teams.length > 0) return inTeamOf(org, teams, groups);
  if (org !== null) return inOrganisation(org, { login, groups });
  return teams.length > 0 ? inTeam(teams, groups) : null;
}

function inOrganisation(org: string, { login, groups }: Account): Refusal | null {
  // A group with ":" is a team.
  if (!org.includes(':') && groups.includes(org)) return null;
  return new NotAdmitted(`"${login}" is not in the organisation "${org}"`);
}

function inTeamOf(org: string, teams: readonly string[], groups: readonly string[]): Refusal | null {
  const wanted = teams.map((team) => `${org}:${team.trim()}`.toLowerCase());
  if (groups.some((group) => wanted.includes(group.toLowerCase()))) return null;
  return new NotAdmitted(`the person is in none of the teams ${quoted(teams)} of "${org}"`);
}

/** "acme:platform"; a team without its organisation could be anybody's, so it matches nobody. */
function inTeam(teams: readonly string[], groups: readonly string[]): Refusal | null {
  const wanted = teams.map((team) => team.trim().toLowerCase()).filter((team) => team.includes(':'));
  if (groups.some((group) => wanted.includes(group.toLowerCase()))) return null;
  return new NotAdmitted(`the person is in none of the teams ${quoted(teams)}; write them as "org:team-slug"`);
}

function quoted(names: readonly string[]): string {
  return names.map((name) => `"${name}"`).join(', ');
}
