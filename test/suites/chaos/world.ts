/** The people, apps and providers that stand around the gateway, and the documents that it is given. */
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';
import { GithubTwin } from '../../../src/sign-in/github/_twin.ts';
import { startTwin, type Twin } from '../../../src/sign-in/oidc/_twin.ts';
import type { Dice } from '../../support/dice.ts';
import type { Doc, HostRules, Member } from './model.ts';

export const AUTH = 'auth.corp.test';
/** Everybody enters here first. */
export const HOME = 'home.corp.test';
export const OPEN = 'open.fifth.test';
export const VAULT = 'vault.fourth.test';
export const DOCS = 'docs.third.test';
/** Asks for a level of authentication. */
export const GOLD = 'gold.corp.test';
/** Asks for a recent sign-in. */
export const FRESH = 'fresh.eighth.test';
export const STEPS: readonly string[] = [GOLD, FRESH];
/** Of access tokens: whom they are for, and which program has asked for them. */
export const AUDIENCE = 'chaos-api';
export const PARTY = 'runner';
export const TOLERANCE_S = 1;
/** The least there is. */
const MAX_AGE_S = 10;
/** Their rules change. */
const CHANGING = ['wiki.corp.test', 'git.corp.test', 'shop.other.test', 'lab.sixth.test'];
export const HOSTS: readonly string[] = [HOME, OPEN, VAULT, DOCS, ...CHANGING];

const ALLOW: readonly (readonly string[])[] = [
  ['signed-in'],
  ['signed-in', 'token:ci'],
  ['kc:group:/dev'],
  ['kc:group:/dev', 'token:ci'],
  ['corp:group:ops', 'local:group:staff'],
  ['github:org:acme', 'token:deploy'],
  ['kc:user:alice', 'corp:user:alice'],
  ['local:user:alice', 'github:user:alice'],
  ['kc:group:/dev', 'corp:group:ops', 'github:org:acme', 'local:group:staff'],
  ['public'],
];
const DENY: readonly (readonly string[])[] = [[], [], [], ['kc:user:bob'], ['corp:group:ops'], ['local:user:alice']];
/** Groups that each provider knows: what a person has of them changes. */
export const GROUPS: Readonly<Record<string, readonly string[]>> = {
  kc: ['/dev', '/sales'],
  corp: ['ops', 'art'],
  github: ['acme', 'umbrella'],
  local: ['staff', 'guests'],
};
/** In front of all that clients send in names that are ours. */
export const EVIL = 'evil';

const PLAIN: HostRules = { allow: [], deny: [], needsFactor: false, acr: null, maxAgeMs: null };

export function firstDoc(dice: Dice): Doc {
  return nextDoc(dice, { hosts: new Map(), providers: new Set(['kc', 'corp', 'github', 'local']), lifetime: '12h' });
}

/** Other rules, now and then without a host or a provider. */
export function nextDoc(dice: Dice, before: Doc): Doc {
  const providers = new Set(['kc', 'corp', 'github', 'local']);
  if (before.hosts.size > 0 && dice.roll(6) === 0) providers.delete(dice.pick(['kc', 'corp', 'github']));
  const hosts = new Map<string, HostRules>([
    [HOME, { ...PLAIN, allow: ['signed-in'] }],
    [OPEN, { ...PLAIN, allow: ['public'] }],
    [VAULT, { ...PLAIN, allow: ['signed-in'], needsFactor: true }],
    [DOCS, { ...PLAIN, allow: ['signed-in', 'link'] }],
    [GOLD, { ...PLAIN, allow: ['signed-in'], acr: 'gold' }],
    [FRESH, { ...PLAIN, allow: ['signed-in'], maxAgeMs: MAX_AGE_S * 1_000 }],
  ]);
  const known = (rules: readonly string[]): string[] =>
    rules.filter((rule) => !/^(?:kc|corp|github):/.test(rule) || providers.has(rule.split(':')[0] ?? ''));
  for (const host of CHANGING) {
    const old = before.hosts.get(host);
    if (old !== undefined && dice.roll(8) === 0) continue;
    const isSame = old !== undefined && dice.roll(3) === 0;
    const allow = known(isSame ? old.allow : dice.pick(ALLOW));
    const deny = known(isSame ? old.deny : dice.pick(DENY));
    hosts.set(host, { ...PLAIN, allow: allow.length === 0 ? ['signed-in'] : allow, deny });
  }
  return { hosts, providers, lifetime: '12h' };
}

export interface World {
  readonly kc: Twin;
  readonly corp: Twin;
  readonly github: GithubTwin;
  readonly app: App;
  readonly members: readonly Member[];
  /** What the providers say, by "kc:alice". */
  readonly groupsOf: Map<string, readonly string[]>;
  readonly close: () => Promise<void>;
}

export async function openWorld(): Promise<World> {
  const [kc, corp, github, app] = [
    await startTwin({ name: 'kc' }),
    await startTwin({ name: 'corp' }),
    new GithubTwin(),
    await startApp(),
  ];
  await github.start();
  const member = (provider: string, name: string, subject: string): Member => ({ provider, name, subject });
  const members = [
    ...['alice', 'bob', 'carol'].map((name) => member('kc', name, `kc:sub-${name}`)),
    ...['alice', 'dave'].map((name) => member('corp', name, `corp:sub-${name}`)),
    member('github', 'alice', 'github:1'),
    member('github', 'erin', 'github:2'),
    ...['alice', 'frank'].map((name) => member('local', name, '')),
  ];
  const groupsOf = new Map(
    members.map((one) => [`${one.provider}:${one.name}`, GROUPS[one.provider]?.slice(0, 1) ?? []]),
  );
  return {
    kc,
    corp,
    github,
    app,
    members,
    groupsOf,
    async close() {
      await Promise.all([kc.stop(), corp.stop(), github.stop()]);
      app.close();
    },
  };
}

export interface Ports {
  readonly https: number;
  readonly health: number;
}

export function writeDocument(world: World, doc: Doc, { https, health }: Ports, domain: string | null): string {
  const { kc, corp, github } = world;
  const oidc = ({ issuer, clientId, clientSecret }: Twin): string =>
    `{ type: oidc, issuer: "${issuer}", client_id: "${clientId}", client_secret: "${clientSecret}", recheck: 10s, clock_tolerance: ${TOLERANCE_S}s, bearer: { audience: ${AUDIENCE}, azp: [${PARTY}] } }`;
  const providers: Readonly<Record<string, string>> = {
    kc: oidc(kc),
    corp: oidc(corp),
    github: `{ type: github, url: "${github.url}", client_id: ${github.clientId}, client_secret: ${github.clientSecret}, recheck: 10s }`,
    local: '{ type: local }',
  };
  const hosts = [...doc.hosts].map(([name, rules]) => {
    const { allow, deny } = rules;
    const require = requireOf(rules);
    const refused = deny.length === 0 ? '' : `, deny: ${JSON.stringify(deny)}`;
    return `  ${name}: { tls: local, to: "http://127.0.0.1:${world.app.port}", allow: ${JSON.stringify(allow)}${refused}${require}, identity_headers: [forwarded, { subject: X-Subject }] }`;
  });
  return `version: 1
listen: { http: off, https: "127.0.0.1:${https}", health: "127.0.0.1:${health}" }
workers: 2
limits: { handshake_timeout: 2m, head_timeout: 2m, keep_alive: 10m } # The machine may be busy otherwise.
providers:
${[...doc.providers].map((id) => `  ${id}: ${providers[id]}`).join('\n')}
sign_in: { url: "https://${AUTH}:${https}" }
session: { lifetime: ${doc.lifetime}${domain === null ? '' : `, cookie_domain: ${domain}`} }
hosts:
${hosts.join('\n')}
`;
}

function requireOf({ needsFactor, acr, maxAgeMs }: HostRules): string {
  if (needsFactor) return ', require: second-factor';
  if (acr !== null) return `, require: { acr: [${acr}] }`;
  return maxAgeMs === null ? '' : `, require: { max_age: ${maxAgeMs / 1_000}s }`;
}

export interface App {
  readonly port: number;
  /** What it should never have been told, or asked. */
  readonly complaints: string[];
  readonly close: () => void;
}

export interface Told {
  readonly subject: string;
  readonly user: string;
  readonly groups: string;
  readonly path: string;
}

/** Says who came, and complains of what only Postern may say, and of what only Postern may know. */
async function startApp(): Promise<App> {
  const complaints: string[] = [];
  const server: Server = createServer((req, res) => {
    complaints.push(...complaintsOf(req.headers, req.url ?? ''));
    res.setHeader('content-type', 'application/json');
    res.end(JSON.stringify(toldBy(req.headers, req.url ?? '')));
  });
  const sockets = new WebSocketServer({ server });
  sockets.on('connection', (socket, req) => {
    complaints.push(...complaintsOf(req.headers, req.url ?? ''));
    socket.on('error', () => undefined);
    socket.send(JSON.stringify(toldBy(req.headers, req.url ?? '')));
  });
  await new Promise<void>((done) => {
    server.listen(0, '127.0.0.1', done);
  });
  return {
    port: (server.address() as AddressInfo).port,
    complaints,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

type Fields = Readonly<Record<string, string | readonly string[] | undefined>>;

function toldBy(fields: Fields, path: string): Told {
  const text = (name: string): string => String(fields[name] ?? '');
  return { subject: text('x-subject'), user: text('x-forwarded-user'), groups: text('x-forwarded-groups'), path };
}

function complaintsOf(fields: Fields, path: string): string[] {
  return Object.entries(fields).flatMap(([name, value]) => {
    const text = String(value);
    if (text.includes(EVIL)) return [`${path}: a client's own "${name}: ${text}" came through`];
    if (/postern-|postern_/i.test(text) && name !== 'via')
      return [`${path}: a credential of Postern came through in "${name}"`];
    return [];
  });
}
