/**
 * `custom-templates-dir`: sign_in.html, error.html and robots.txt of the operator, with the fields of oauth2-proxy. They are
 * read and checked at start. Their own styles and scripts are allowed, from wherever they come: the operator wrote them.
 */
import { readAtMost } from '../../core/read-at-most.ts';
import { html, Html, trusted } from '../../sign-in/pages/html.ts';
import { MARK, pageHeaders, type PlainAnswer } from '../../sign-in/pages/page.ts';
import type { Settings } from '../settings.ts';
import type { Logo } from './logo.ts';
import { renderTemplate, type TemplateValue, type TemplateValues } from './template.ts';
import { parseTemplate, type TemplateNode } from './template-parser.ts';
import { TemplateProblem } from './template-problem.ts';

export interface PageTemplates {
  readonly signIn: readonly TemplateNode[] | null;
  readonly error: readonly TemplateNode[] | null;
  /** As it stands. */
  readonly robots: string | null;
}

export const OWN_PAGES: PageTemplates = { signIn: null, error: null, robots: null };

export type LoadedTemplates =
  | { readonly kind: 'ok'; readonly templates: PageTemplates }
  | { readonly kind: 'problem'; readonly message: string; readonly remedy: string };

const SHARED = ['StatusCode', 'Redirect', 'ProxyPrefix', 'Footer', 'Version'];
const SIGN_IN_FIELDS = [...SHARED, 'ProviderName', 'SignInMessage', 'CustomLogin', 'LogoData'];
const ERROR_FIELDS = [...SHARED, 'Title', 'Message', 'RequestID'];

/** `readFile` answers null where there is no such file. */
export function loadTemplates(folder: string | null, readFile: (path: string) => string | null): LoadedTemplates {
  if (folder === null) return { kind: 'ok', templates: OWN_PAGES };
  let path = '';
  const read = (name: string): string | null => {
    path = `${folder.replace(/\/$/, '')}/${name}`;
    return readFile(path);
  };
  const load = (name: string, fields: readonly string[]): readonly TemplateNode[] | null => {
    const source = read(name);
    return source === null ? null : parseTemplate(source, name, fields);
  };
  try {
    return {
      kind: 'ok',
      templates: {
        signIn: load('sign_in.html', SIGN_IN_FIELDS),
        error: load('error.html', ERROR_FIELDS),
        robots: read('robots.txt'),
      },
    };
  } catch (error) {
    const remedy = error instanceof TemplateProblem ? error.remedy : 'let Postern read it, or take it away';
    return { kind: 'problem', message: `Cannot use template "${path}": ${(error as Error).message}`, remedy };
  }
}

/** Null where there is no such file. */
export function readIfThere(path: string): string | null {
  try {
    return readAtMost(path).toString('utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

interface CustomDeps {
  readonly settings: Settings;
  readonly logo: Logo;
  readonly hasForm: boolean;
  readonly version: string;
}

interface SignInValues {
  readonly status: number;
  readonly redirect: string;
  readonly banner: Html | null;
  readonly providerName: string;
}

export function customSignIn(deps: CustomDeps, nodes: readonly TemplateNode[], values: SignInValues): PlainAnswer {
  return answer(values.status, nodes, {
    ...sharedValues(deps, values),
    ProviderName: values.providerName,
    SignInMessage: values.banner ?? '',
    CustomLogin: deps.hasForm,
    LogoData: logoOf(deps.logo),
  });
}

interface ErrorValues {
  readonly status: number;
  readonly redirect: string;
  readonly title: string;
  readonly text: string;
  readonly debug: string | null;
  readonly requestId: string;
}

export function customError(deps: CustomDeps, nodes: readonly TemplateNode[], values: ErrorValues): PlainAnswer {
  return answer(values.status, nodes, {
    ...sharedValues(deps, values),
    Title: values.title,
    Message: values.debug === null ? values.text : `${values.text} ${values.debug}`,
    RequestID: values.requestId,
  });
}

function sharedValues(
  { settings, version }: CustomDeps,
  { status, redirect }: { readonly status: number; readonly redirect: string },
): TemplateValues {
  const { footer } = settings.pages;
  return {
    StatusCode: status,
    Redirect: redirect,
    ProxyPrefix: settings.paths.prefix,
    Footer: footer === null || footer === '-' ? (footer ?? '') : trusted(footer),
    Version: version,
  };
}

function logoOf(logo: Logo): TemplateValue {
  if (logo.kind === 'none') return '';
  return logo.kind === 'own' ? MARK : html`<img src="${logo.source}" alt="Logo" />`;
}

const POLICY = "base-uri 'none'; frame-ancestors 'none'; object-src 'none'";

function answer(status: number, nodes: readonly TemplateNode[], values: TemplateValues): PlainAnswer {
  const headers = pageHeaders().map(([name, value]): [string, string] =>
    name === 'Content-Security-Policy' ? [name, POLICY] : [name, value],
  );
  return { status, headers, body: renderTemplate(nodes, values) };
}
