/** Postern's own pages of the flow as answers: words by the visitor's language, the operator's name, logo and texts. */
import { formatFor, plainHeaders } from '../../sign-in/pages/error-page.ts';
import { html, trusted, type Html } from '../../sign-in/pages/html.ts';
import { pageHeaders, renderPage, type PlainAnswer } from '../../sign-in/pages/page.ts';
import { textsFor, type Texts } from '../../sign-in/texts/texts.ts';
import { POSTERN_BRAND } from '../../sign-in/pages/brand.ts';
import type { FrontRequest } from '../front-request.ts';
import type { Settings } from '../settings.ts';
import { problemPage, type ProblemPageFacts } from './problem-page.ts';
import { FRAGMENT_SCRIPT_SOURCE, signInPage } from './sign-in-page.ts';
import { customError, customSignIn, type PageTemplates } from './custom-pages.ts';
import type { Logo } from './logo.ts';

export interface SignInView {
  readonly status: number;
  readonly redirect: string;
  readonly user: string;
  readonly problem: string | null;
}

export type ProblemView = Omit<ProblemPageFacts, 'texts'> & {
  /** Where "sign in" leads after this. */
  readonly redirect: string;
};

export interface View {
  readonly textsOf: (request: FrontRequest) => Texts;
  readonly signIn: (request: FrontRequest, view: SignInView) => PlainAnswer;
  readonly problem: (request: FrontRequest, view: ProblemView) => PlainAnswer;
}

export interface ViewDeps {
  readonly settings: Settings;
  /** Null: nobody signs in through a provider here. */
  readonly providerName: string | null;
  readonly hasForm: boolean;
  readonly logo: Logo;
  /** The operator's own pages, in place of ours. */
  readonly templates: PageTemplates;
  readonly version: string;
}

export function createView(deps: ViewDeps): View {
  return {
    textsOf,
    signIn(request, view) {
      const texts = textsOf(request);
      const { settings, providerName, hasForm, templates } = deps;
      const banner = bannerOf(settings, texts);
      if (templates.signIn !== null)
        return customSignIn(deps, templates.signIn, { ...view, banner, providerName: providerName ?? '' });
      const main = signInPage({
        texts,
        prefix: settings.paths.prefix,
        redirect: view.redirect,
        host: foreignHost(view.redirect, request),
        provider: providerName,
        hasForm,
        user: view.user,
        problem: view.problem,
        banner,
      });
      return page(deps, request, { status: view.status, title: texts.signIn.title, main, isForm: true });
    },
    problem(request, view) {
      const texts = textsOf(request);
      const format = formatFor(request.exchange.request.headers.get('accept') ?? 'text/html');
      if (format === 'json') return problemJson(request, view);
      if (deps.templates.error !== null)
        return customError(deps, deps.templates.error, { ...view, requestId: request.id });
      const main = problemPage({ ...view, texts });
      return page(deps, request, { status: view.status, title: view.title, main, isForm: false });
    },
  };
}

function textsOf(request: FrontRequest): Texts {
  return textsFor(request.exchange.request.headers.get('accept-language'));
}

interface PageFacts {
  readonly status: number;
  readonly title: string;
  readonly main: Html;
  readonly isForm: boolean;
}

function page({ settings, logo }: ViewDeps, request: FrontRequest, facts: PageFacts): PlainAnswer {
  const { status, title, main, isForm } = facts;
  // A logo of the operator's own stands alone: the name of this program is nobody's brand then.
  const brand = logo.kind === 'image' ? { ...POSTERN_BRAND, name: '', logo: logo.source } : POSTERN_BRAND;
  const footer = operatorHtml(settings.pages.footer);
  const body = renderPage({
    texts: textsOf(request),
    title,
    main,
    brand,
    isBare: logo.kind === 'none',
    footer,
    requestId: isForm ? null : request.id,
  });
  const hasImages = `${settings.pages.banner ?? ''}${settings.pages.footer ?? ''}`.includes('<img');
  const headers = pageHeaders({
    // Chromium applies `form-action` to the redirects after a form: to the provider, which may be anywhere.
    ...(isForm && { formAction: ['https:', 'http:'], scripts: [FRAGMENT_SCRIPT_SOURCE] }),
    images: [...(logo.kind === 'image' ? logo.origins : []), ...(hasImages ? ['https:'] : [])],
  });
  return { status, headers, body };
}

function problemJson(request: FrontRequest, { status, title }: ProblemView): PlainAnswer {
  const body = `${JSON.stringify({ status, message: title, request_id: request.id })}\n`;
  return { status, headers: plainHeaders(true), body };
}

/** The app's host, where the sign-in pages are on another one. */
function foreignHost(redirect: string, request: FrontRequest): string | null {
  if (redirect.startsWith('/')) return null;
  const host = URL.parse(redirect)?.host ?? null;
  return host === request.authority ? null : host;
}

function bannerOf({ pages, admission }: Settings, texts: Texts): Html | null {
  if (pages.banner !== null) return operatorHtml(pages.banner);
  const domains = admission.emailDomains.filter((domain) => domain !== '*');
  const isOpen = domains.length < admission.emailDomains.length || domains.length === 0;
  return isOpen ? null : html`${texts.forwardAuth.domains(domains.join(', '))}`;
}

/** As the operator wrote it: HTML is theirs to write. "-" is none. */
function operatorHtml(text: string | null): Html | null {
  return text === null || text === '-' || text.trim() === '' ? null : trusted(text);
}
