/** Who may come in and how they sign in: provider, password file, e-mail rules and the pages, joined. */
import { readAtMost } from '../../core/read-at-most.ts';
import { systemClock } from '../../core/clock.ts';
import { PosternError } from '../../core/errors.ts';
import { createFlow } from '../../forward-auth/flow/flow.ts';
import { listedProvider } from '../../forward-auth/keepers/listed-person.ts';
import { loadTemplates, OWN_PAGES, readIfThere } from '../../forward-auth/pages/custom-pages.ts';
import { loadLogo } from '../../forward-auth/pages/logo.ts';
import { createAuthProvider } from '../../forward-auth/providers/create.ts';
import { httpFor } from '../../forward-auth/providers/http.ts';
import { createAdmission } from '../../forward-auth/serving/admission.ts';
import { createEmailRules } from '../../forward-auth/serving/email-rules.ts';
import { createHtpasswd } from '../../forward-auth/serving/htpasswd.ts';
import { withNamedAddresses } from '../../forward-auth/serving/named-addresses.ts';
import { createHashPool } from '../../session/hash-pool.ts';
import { createFlowReport } from './flow-events.ts';
import type { Logger } from '../../core/log.ts';
import type { SessionEnder } from '../../forward-auth/flow/deps.ts';
import type { PageTemplates } from '../../forward-auth/pages/custom-pages.ts';
import type { Logo } from '../../forward-auth/pages/logo.ts';
import type { DeskKeeper, SessionDesk } from '../../forward-auth/keepers/session-desk.ts';
import type { AuthProvider, Flow } from '../../forward-auth/ports.ts';
import type { Admission } from '../../forward-auth/serving/admission.ts';
import type { Htpasswd } from '../../forward-auth/serving/htpasswd.ts';
import type { ServingMetrics } from '../../forward-auth/serving/metrics.ts';
import type { Settings } from '../../forward-auth/settings.ts';
import type { FrontLog } from './front-log.ts';

export interface FrontPeople {
  readonly provider: AuthProvider;
  readonly htpasswd: Htpasswd | null;
  readonly admission: Admission;
  readonly flow: Flow;
  /** robots.txt of the operator's own. */
  readonly robots: string | null;
  readonly close: () => Promise<void>;
}

export interface PeopleOptions {
  readonly settings: Settings;
  readonly keeper: DeskKeeper;
  readonly frontLog: FrontLog;
  readonly metrics: ServingMetrics;
}

/** Throws where a file cannot be read, or the settings cannot be a provider. */
export function openPeople({ settings, keeper, frontLog, metrics }: PeopleOptions): FrontPeople {
  const { log } = frontLog;
  const pages = pagesOf(settings);
  const rules = createEmailRules(settings.admission, (error) => tellUnreadable(log, error));
  const emails = withNamedAddresses(settings.admission, rules);
  const hashPool = createHashPool();
  const htpasswd = settings.htpasswd === null ? null : createHtpasswd(settings.htpasswd, htpasswdDeps(hashPool, log));
  const provider = createAuthProvider(settings.provider, {
    clock: systemClock,
    log,
    allowedGroups: settings.admission.groups,
    bearer: settings.bearer,
  });
  const admission = createAdmission({ emails, provider, htpasswd });
  const providerHttp = httpFor(settings.provider);
  const flow = createFlow({
    settings,
    keeper,
    provider,
    admission,
    passwords: htpasswd === null ? null : { verify: htpasswd.check },
    ...pages,
    ender: createEnder(keeper.desk, settings),
    logouts: keeper.logouts,
    callProvider: async (url) => (await providerHttp.fetch(url)).status,
    clock: systemClock,
    report: createFlowReport(frontLog, metrics),
  });
  return {
    provider,
    htpasswd,
    admission,
    flow,
    robots: pages.templates.robots,
    async close() {
      providerHttp.close();
      provider.close();
      htpasswd?.close();
      emails.close();
      await hashPool.close();
    },
  };
}

function htpasswdDeps(pool: ReturnType<typeof createHashPool>, log: Logger): Parameters<typeof createHtpasswd>[1] {
  return {
    pool,
    clock: systemClock,
    onUnreadable: (error) => tellUnreadable(log, error),
    onUnusable: (names) =>
      log.warn({ names }, 'Hashes of these users are neither bcrypt nor {SHA}: they cannot sign in by password'),
  };
}

function tellUnreadable(log: Logger, error: PosternError): void {
  log.error({ code: error.code }, `${error.message}; what was read before goes on`);
}

function createEnder(desk: SessionDesk, { provider: { kind } }: Settings): SessionEnder {
  const provider = listedProvider(kind);
  return {
    byProviderSession: (id) => desk.revokeByProviderSession(provider, id),
    bySubject: (subject) => desk.revokeByPerson(provider, subject),
    unnamed: (subject) => desk.revokeUnnamed(provider, subject),
  };
}

function pagesOf({ pages }: Settings): { readonly logo: Logo; readonly templates: PageTemplates } {
  const logo = loadLogo(pages.logo, (path) => readAtMost(path));
  const templates = loadTemplates(pages.templatesFolder, readIfThere);
  for (const answer of [logo, templates])
    if (answer.kind === 'problem') throw new PosternError('CONFIG_INVALID', `${answer.message}; ${answer.remedy}`);
  return {
    logo: logo.kind === 'ok' ? logo.logo : { kind: 'own' },
    templates: templates.kind === 'ok' ? templates.templates : OWN_PAGES,
  };
}
