/**
 * Compiles one route of the document: its policy, path edits, server addresses and header templates.
 * What cannot be compiled is a diagnostic, and the route it leaves behind refuses every request.
 */
import { problem, warning, type Diagnostic } from '../core/diagnostic.ts';
import { mistakableMachines, withoutLogin } from './machine-names.ts';
import type { Document } from '../config/document.ts';
import type { Choice, UpstreamServer } from '../config/document/actions.ts';
import type { Host, Route } from '../config/document/hosts.ts';
import type { Provider } from '../config/document/providers.ts';
import type { Rule, RuleText, ShadowRules, StepUp } from '../config/document/rules.ts';
import type { Work } from '../core/turns.ts';
import { askedProviders, compilePolicy, KnownRules, type CompiledPolicy } from '../policy/compile.ts';
import { parsePathPattern, type PathPattern } from './path-pattern.ts';
import { elsewhereTest, NEVER } from './host-pattern.ts';
import { appsOf, findSharedApps } from './shared-apps.ts';
import type { CompiledChoice, CompiledHeader, CompiledRoute, CompiledServer, ServerAddress } from './table.ts';
import { compileTargetPath } from './target-path.ts';
import { compileTemplate, type Template, type TemplateUse } from './template.ts';

const ABOUT_IDENTITY = /^(?:user|service|token|map)\./;
const UNDECIDABLE: Template = () => null;
const EVERYBODY: Omit<CompiledChoice, 'route'> = {
  matches: () => true,
  unsaid: () => ({}),
  namedUsers: [],
};

interface Rendering {
  readonly render: Template;
  readonly isFixed: boolean;
  readonly isRefused: boolean;
}

const REFUSED: Rendering = { render: UNDECIDABLE, isFixed: false, isRefused: true };

export interface RouteResult {
  readonly route: CompiledRoute;
  readonly pattern: PathPattern;
}

/** Compiles the routes of one document; policies with the same rules are compiled once. */
export class RouteCompiler {
  readonly #document: Document;
  readonly #services: readonly string[];
  readonly #policies = new Map<string, CompiledPolicy>();
  readonly #known = new KnownRules();
  readonly #diagnostics: Diagnostic[];
  #sharedApps: ReadonlyMap<string, ReadonlySet<string>> = new Map();
  /** Of the route that is being compiled. */
  #qualifiesNames = false;

  constructor(document: Document, diagnostics: Diagnostic[]) {
    this.#document = document;
    this.#services = document.services.map((service) => service.name);
    this.#diagnostics = diagnostics;
  }

  /** Looks at all routes before the first is compiled: what an app is told depends on the others that lead there. */
  *findSharedApps(): Work<void> {
    const { providers, hosts, fallback } = this.#document;
    if (providers.length < 2) return;
    const all = fallback === null ? hosts : [...hosts, fallback];
    this.#sharedApps = yield* findSharedApps(all, (route) => this.#askedBy(route));
  }

  #askedBy({ allow }: Route): readonly string[] {
    const { providers } = this.#document;
    return askedProviders(allow, { providers, services: this.#services, known: this.#known });
  }

  /** Whose people may come to the app, by this route or another one, because they were asked who they are. */
  #peopleOf(route: Route): ReadonlySet<string> {
    const { providers } = this.#document;
    if (providers.length < 2) return new Set(providers.map(({ id }) => id));
    const shared = appsOf(route).flatMap((app) => [...(this.#sharedApps.get(app) ?? [])]);
    return new Set([...this.#askedBy(route), ...shared]);
  }

  /** Null where the route's path is none; everything else compiles to something that fails closed. */
  compile(host: Host, route: Route, id: string): RouteResult | null {
    const parsed = parsePathPattern(route.path);
    if (parsed.kind === 'refused') {
      const remedy = 'Write a path such as "/app" or "/app/*"';
      this.#diagnostics.push(problem(route.at, `Path "${route.path}" is not a path pattern: ${parsed.reason}`, remedy));
      return null;
    }
    const names = new Set<string>();
    const policy = this.#policy(host, route);
    const people = [...this.#peopleOf(route)];
    this.#qualifiesNames = this.#admitsSeveral(policy) || people.length > 1;
    const servers =
      route.action.kind === 'proxy' ? route.action.servers.map((server) => this.#server(server, names)) : [];
    const isPersonal = [...names].some((name) => ABOUT_IDENTITY.test(name));
    const requestHeaders = this.#headers(route, names);
    const choices = route.action.kind === 'choose' ? this.#choices(host, route, route.action.choices, id) : [];
    const targetPath = this.#targetPath(route, parsed.pattern);
    const isFilledByIdentity = [...names].some((name) => ABOUT_IDENTITY.test(name));
    const compiled: CompiledRoute = {
      id,
      label: id,
      host: host.name,
      config: route,
      policy,
      shadow: route.shadow === null ? null : this.#shadow(host, route, route.shadow),
      plainNamesOf: people.length === 1 ? (people[0] ?? null) : null,
      needsIdentity: !policy.isPublic || isFilledByIdentity || choices.length > 0,
      choices,
      isPersonal: isPersonal || choices.length > 0,
      targetPath,
      servers,
      requestHeaders,
      redirectTo: route.action.kind === 'redirect' ? this.#redirect(route, route.action.to, targetPath) : null,
    };
    if (policy.isPublic && servers.some(({ config }) => config.isTemplate)) this.#warnOfUnfillable(route);
    return { route: compiled, pattern: parsed.pattern };
  }

  #choices(host: Host, route: Route, choices: readonly Choice[], id: string): readonly CompiledChoice[] {
    return choices.flatMap(({ when, action, at }, index) => {
      const compiled = this.compile(host, { ...route, action, at }, `${id} (${index + 1})`);
      if (compiled === null) return [];
      return [{ route: compiled.route, ...(when === null ? EVERYBODY : this.#matcher(when)) }];
    });
  }

  #matcher(rules: readonly Rule[]): Omit<CompiledChoice, 'route'> {
    const { providers } = this.#document;
    const services = this.#services;
    const known = this.#known;
    const { policy, diagnostics } = compilePolicy({
      allow: rules,
      routeDeny: [],
      hostDeny: [],
      providers,
      services,
      known,
    });
    this.#diagnostics.push(...diagnostics);
    return {
      namedUsers: policy.namedUsers,
      matches: (facts) => policy.decide(facts).kind === 'allow',
      unsaid(facts) {
        const decision = policy.decide(facts);
        return decision.kind === 'deny' ? decision : {};
      },
    };
  }

  #shadow(host: Host, route: Route, { allow, deny }: ShadowRules): CompiledPolicy {
    return this.#policy(host, { ...route, allow: allow ?? route.allow, deny: [...route.deny, ...deny] });
  }

  #admitsSeveral(policy: CompiledPolicy): boolean {
    return (policy.admittedProviders ?? this.#document.providers).length > 1;
  }

  #policy(host: Host, route: Route): CompiledPolicy {
    const texts = [route.allow, route.deny, host.deny].map((rules) => rules.map(({ rule }) => rule));
    const key = JSON.stringify([texts, route.require]);
    const known = this.#policies.get(key);
    if (known === undefined || texts.some((rules) => rules.some(isAboutCertificate)))
      return this.#compilePolicy(host, route, key);
    return known;
  }

  #compilePolicy(host: Host, route: Route, key: string): CompiledPolicy {
    const { policy, diagnostics } = compilePolicy({
      allow: route.allow,
      routeDeny: route.deny,
      hostDeny: host.deny,
      providers: this.#document.providers,
      services: this.#services,
      require: route.require,
      known: this.#known,
    });
    this.#diagnostics.push(...diagnostics);
    if (host.clientAuth === null) this.#refuseCertificateRules([...host.deny, ...route.deny, ...route.allow]);
    // With diagnostics it is compiled for each place again, so that each place is named.
    if (diagnostics.length === 0) this.#policies.set(key, policy);
    return policy;
  }

  #refuseCertificateRules(rules: readonly Rule[]): void {
    for (const { rule, at } of rules) {
      if (!isAboutCertificate(rule)) continue;
      const message = 'Rule "client-certificate:" can never match: this host asks for no client certificate';
      this.#diagnostics.push(problem(at, message, 'Add "tls: { client_ca: FILE }" to the host'));
    }
  }

  #targetPath(route: Route, pattern: PathPattern): CompiledRoute['targetPath'] {
    const { stripPrefix, rewrite } = route;
    const compiled = compileTargetPath({ stripPrefix, rewrite, routePrefix: pattern.key });
    if (compiled.kind === 'function') return compiled.targetPath;
    const value = compiled.field === 'rewrite' ? rewrite : stripPrefix;
    const remedy =
      compiled.field === 'rewrite'
        ? 'Write for example "/api{path}"'
        : `Write "${pattern.key || '/app'}", or remove it`;
    this.#diagnostics.push(
      problem([...route.at, compiled.field], `Cannot apply ${compiled.field} "${value}": ${compiled.reason}`, remedy),
    );
    return () => null;
  }

  #headers(route: Route, names: Set<string>): readonly CompiledHeader[] {
    return Object.entries(route.requestHeaders.add).map(([name, text]) => {
      const template = this.#template(text, { use: 'header', label: `Header "${name}"`, at: route.at }, names);
      return { name, fixed: template.isFixed ? text : null, render: template.render };
    });
  }

  #server(server: UpstreamServer, names: Set<string>): CompiledServer {
    const { scheme } = server;
    if (!server.isTemplate) {
      const address =
        scheme === 'unix' ? { scheme, host: server.host, port: 0 } : addressOf(scheme, server.host, `${server.port}`);
      if (address === null)
        this.#diagnostics.push(problem(server.at, `Port "${server.port}" is not a number from 1 to 65535`));
      return { config: server, fixed: address, resolve: () => address };
    }
    const asked = { use: 'address' as const, label: 'Address of the app', at: server.at };
    const host = this.#template(server.host, asked, names);
    const port = scheme === 'unix' ? null : this.#template(`${server.port}`, asked, names);
    if (scheme !== 'unix') {
      this.#warnOfWholeHost(server);
      this.#checkMappedPort(server);
    }
    const isElsewhere = scheme === 'unix' ? NEVER : elsewhereTest(server.host);
    const resolve: CompiledServer['resolve'] = (context) => {
      const name = host.render(context);
      if (name !== null && isElsewhere(name)) return null;
      if (name === null || port === null) return name === null ? null : { scheme, host: name, port: 0 };
      const digits = port.render(context);
      return digits === null ? null : addressOf(scheme, name, digits);
    };
    return { config: server, fixed: null, resolve };
  }

  /** A wrong one would lead whoever it is mapped for to the page that there is no app for them, and nothing would say why. */
  #checkMappedPort({ scheme, port, at }: UpstreamServer): void {
    const map = /^\{map\.([^{}]+)\}$/.exec(`${port}`)?.[1];
    const values = Object.entries(map === undefined ? {} : (this.#document.maps[map] ?? {}));
    const wrong = values.find(([, value]) => addressOf(scheme, '', value) === null);
    if (wrong === undefined) return;
    const message = `Port of the app "${port}" may be "${wrong[1]}" (of "${wrong[0]}"), which is not a number from 1 to 65535`;
    const remedy = `Give "${wrong[0]}" another port in "maps": it leads to no app`;
    this.#diagnostics.push(warning(at, message, remedy));
  }

  #template(text: string, asked: { use: TemplateUse; label: string; at: Route['at'] }, names: Set<string>): Rendering {
    const compiled = compileTemplate(text, asked.use, this.#document.maps);
    if (compiled.kind === 'refused') {
      this.#diagnostics.push(problem(asked.at, `${asked.label} "${text}" cannot be compiled: ${compiled.reason}`));
      return REFUSED;
    }
    for (const name of compiled.names) names.add(name);
    if (asked.use !== 'redirect' && this.#qualifiesNames && isAmbiguous(text, compiled.names)) {
      const message = `${asked.label} "${text}" uses {user.name}, but two providers, by this route or another one that leads there, may both know a person of that name`;
      const remedy = asked.use === 'address' ? '{user.provider}/{user.name}' : '{user.provider}:{user.name}';
      const other =
        'name one provider in every rule of "allow", or use {map.NAME} with keys such as "local:user:alice"';
      this.#diagnostics.push(problem(asked.at, message, `Write "${remedy}", ${other}`));
      return REFUSED;
    }
    return { render: compiled.render, isFixed: compiled.names.length === 0, isRefused: false };
  }

  #redirect(route: Route, to: string, targetPath: CompiledRoute['targetPath']): Template {
    const site = /^(?:https?:\/\/[^/?#{}]+(?=[/?#]|\{path\}|\{query\}|$)|\/(?![/\\]))/.exec(to);
    const { render, isRefused } = this.#template(to, { use: 'redirect', label: 'Redirect', at: route.at }, new Set());
    if (isRefused) return UNDECIDABLE;
    if (site === null) {
      const message = `Redirect "${to}" does not begin with "/" or with a URL whose host is written out`;
      this.#diagnostics.push(problem(route.at, message, 'Write for example "https://www.example.com{path}"'));
      return UNDECIDABLE;
    }
    // "/{path}" would give "//evil.example", which a browser reads as another site.
    return (context) => {
      const path = targetPath(context.path);
      const target = path === null ? null : render({ ...context, path });
      return target !== null && /^\/[/\\]/.test(target) ? null : target;
    };
  }

  /** A route may ask for tokens that nobody who comes can have. */
  warnOfTokens({ config, policy }: CompiledRoute): void {
    const { providers } = this.#document;
    const admitted = providers.filter(({ id }) => policy.admittedProviders?.includes(id) ?? true);
    for (const { token } of config.identityHeaders.tokens) {
      if (admitted.some((one) => gives(one, token))) continue;
      const whose = token === 'id_token' ? 'an OpenID provider' : 'an OpenID provider, or of GitHub,';
      const message = `Route "${config.path}" passes the ${token === 'id_token' ? 'ID token' : 'access token'} on, but nobody who may come has one: the field is never sent`;
      this.#diagnostics.push(warning(config.at, message, `Let people of ${whose} in, or remove "${token}"`));
    }
  }

  /** A machine of the same route may be called as people may call themselves. */
  warnOfMachineNames({ config, plainNamesOf }: CompiledRoute): void {
    const provider = this.#document.providers.find(({ id }) => id === plainNamesOf);
    const machines = provider === undefined ? [] : mistakableMachines(config, provider);
    for (const machine of machines) {
      const name = machine.slice(machine.indexOf(':') + 1);
      const message = `Route "${config.path}" lets in "${machine}" and people of "${plainNamesOf}", who choose their names: whoever calls themselves "${name}" there is "${name}" to the app, too`;
      const rename = provider?.type === 'github' ? `call the machine "${withoutLogin(name)}", or ` : '';
      const remedy = `Let the app know everybody by "subject" or "assertion" of "identity_headers", ${rename}give it a host with other "identity_headers"`;
      this.#diagnostics.push(warning(config.at, message, remedy));
    }
  }

  /** A route may ask for what nobody who comes can show: then every person ends at a page that explains. */
  warnOfStepUp({ config, policy }: CompiledRoute): void {
    const { require: wanted } = config;
    const admitted = this.#document.providers.filter(({ id }) => policy.admittedProviders?.includes(id) ?? true);
    if (wanted === null || admitted.length === 0 || admitted.some((one) => canShow(one, wanted))) return;
    const message = `Route "${config.path}" asks in "require" for what no provider of those who may come can say: nobody gets in`;
    const remedy =
      'GitHub says none of it; "acr" must be one of "acr_values" of its provider, where that has some; for a second factor set "second_factor.acr" or ".amr"';
    this.#diagnostics.push(warning(config.at, message, remedy));
  }

  /** Containers are often called so; but whoever may choose a name there chooses any neighbour. */
  #warnOfWholeHost({ host, at }: UpstreamServer): void {
    if (host !== '{user.name}') return;
    const message = `Address of the app has "${host}" for its whole host: somebody who is called "db" is led to the host "db"`;
    this.#diagnostics.push(warning(at, message, 'Write "ide-{user.name}", or "{user.name}.ide.internal"'));
  }

  #warnOfUnfillable(route: Route): void {
    const message =
      'The address of the app depends on who is signed in, but the route is public: others get an error page';
    this.#diagnostics.push(warning(route.at, message, 'Write "allow: [signed-in]"'));
  }
}

function canShow(provider: Provider, { secondFactor, acr }: StepUp): boolean {
  if (provider.type === 'local') return true;
  if (provider.type === 'github') return false;
  const { acrValues, secondFactor: counts } = provider;
  if (secondFactor && counts.acr.length + counts.amr.length === 0) return false;
  return acr.length === 0 || acrValues.length === 0 || acr.some((one) => acrValues.includes(one));
}

function gives({ type }: Provider, token: 'access_token' | 'id_token'): boolean {
  return type === 'oidc' || (type === 'github' && token === 'access_token');
}

const BOTH_IN_A_ROW = /\{user\.(?:provider|name)\}[a-z0-9_-]*\{user\.(?:provider|name)\}/;

/** Without the provider, or with nothing between the two that neither can hold: "a-b" and "c" would be "a" and "b-c". */
function isAmbiguous(text: string, names: readonly string[]): boolean {
  return names.includes('user.name') && (!names.includes('user.provider') || BOTH_IN_A_ROW.test(text));
}

function addressOf(scheme: ServerAddress['scheme'], host: string, digits: string): ServerAddress | null {
  const port = /^\d{1,5}$/.test(digits) ? Number(digits) : 0;
  return port > 0 && port < 65_536 ? { scheme, host, port } : null;
}

function isAboutCertificate(rule: RuleText): boolean {
  if (typeof rule === 'string') return rule.startsWith('client-certificate:');
  return 'all' in rule && rule.all.some(isAboutCertificate);
}
