/**
 * Which of a client's header fields reach an app. Everything that Postern or another proxy says about
 * the visitor is dropped in every spelling that an app could take for it: CGI, WSGI and PHP read
 * `X_Forwarded_User` and `X.Forwarded.User` as X-Forwarded-User (CVE-2025-64484, CVE-2026-39858).
 */
import { isHopByHop } from '../wire/hop-by-hop.ts';

export const KEEP = 0;
export const DROP = 1;
export const COOKIE = 2;
export const AUTHORIZATION = 3;
export const VIA = 4;
export const FORWARDED_FOR = 5;
export const FORWARDED_PROTO = 6;
export const FORWARDED_HOST = 7;
export const FORWARDED_PORT = 8;
export const TE = 9;
export const MAX_FORWARDS = 10;

const SPECIAL: ReadonlyMap<string, number> = new Map([
  ['cookie', COOKIE],
  ['authorization', AUTHORIZATION],
  ['via', VIA],
  ['x-forwarded-for', FORWARDED_FOR],
  ['x-forwarded-proto', FORWARDED_PROTO],
  ['x-forwarded-host', FORWARDED_HOST],
  ['x-forwarded-port', FORWARDED_PORT],
  ['te', TE],
  ['max-forwards', MAX_FORWARDS],
]);

/** We write these ourselves, they carried a credential for us, or nobody may say them to an app. */
const DROPPED: ReadonlySet<string> = new Set([
  'content_length',
  'host',
  'expect',
  'proxy',
  'forwarded',
  'x_real_ip',
  'x_request_id',
  'x_rewrite_url',
  'x_url_scheme',
  'x_scheme',
  'x_client_ip',
  'x_cluster_client_ip',
  'true_client_ip',
  'cf_connecting_ip',
  'cf_connecting_ipv6',
  'remote_user',
  'remote_email',
  'remote_groups',
  'remote_name',
  'x_jwt_assertion',
  'x_goog_iap_jwt_assertion',
  'x_goog_authenticated_user_email',
  'x_goog_authenticated_user_id',
]);
const DROPPED_PREFIXES = [
  'x_forwarded_',
  'x_original_',
  'x_auth_request_',
  'postern_',
  'cf_access_',
  'x_webauth_',
  'x_remote_',
  'x_authenticated_',
  // What other gateways say about who comes. Apps take some of it unchecked, such as Backstage the ID token of oauth2-proxy.
  'x_oauth2_proxy_',
  'x_authentik_',
  'x_pomerium_',
  'x_vouch_',
  'x_amzn_oidc_',
  'x_ms_client_principal',
  'x_ms_token_',
  'tailscale_user_',
  'x_consumer_',
  'ssl_client_',
  'x_ssl_client_',
  // RFC 9440 section 4: we end TLS, so nobody else says whose certificate it was.
  'client_cert',
  'x_client_cert',
];

/** Fields with a meaning of their own: another spelling of them is never sent on. */
const NO_ALIAS: ReadonlySet<string> = new Set([
  'cookie',
  'authorization',
  'via',
  'connection',
  'transfer_encoding',
  'content_type',
  'content_encoding',
  'upgrade',
  'te',
  'max_forwards',
  'trailer',
  // RFC 8470 section 5.1: it stays, for an app must be able to refuse what a front took as early data.
  'early_data',
  'keep_alive',
  'proxy_connection',
  'proxy_authorization',
  'origin',
]);

const MAX_CACHED = 4_096;
const verdicts = new Map<string, number>();

/** One spelling for all aliases of a lower-case name: what is no letter or digit becomes "_". */
export function foldName(key: string): string {
  return key.replaceAll(/[^a-z0-9]/g, '_');
}

/** `key` is a lower-case field name. Names are remembered, up to a bound: clients choose them. */
export function verdictOf(key: string): number {
  const known = verdicts.get(key);
  if (known !== undefined) return known;
  const verdict = judge(key);
  if (verdicts.size >= MAX_CACHED) verdicts.clear();
  verdicts.set(key, verdict);
  return verdict;
}

function judge(key: string): number {
  const special = SPECIAL.get(key);
  if (special !== undefined) return special;
  if (isHopByHop(key)) return DROP;
  const folded = foldName(key);
  if (DROPPED.has(folded) || DROPPED_PREFIXES.some((prefix) => folded.startsWith(prefix))) return DROP;
  return NO_ALIAS.has(folded) && folded.replaceAll('_', '-') !== key ? DROP : KEEP;
}

/** Names of a document's own under which apps learn who comes: no route lets a client say them. */
export interface StripList {
  /** Takes a lower-case name. */
  readonly has: (key: string) => boolean;
}

/** Null where every name is dropped for all documents. */
export function createStripList(names: Iterable<string>): StripList | null {
  const folded = new Set<string>();
  for (const name of names) {
    const key = name.toLowerCase();
    if (verdictOf(key) !== DROP) folded.add(foldName(key));
  }
  if (folded.size === 0) return null;
  const known = new Map<string, boolean>();
  return {
    has(key) {
      let isListed = known.get(key);
      if (isListed === undefined) {
        isListed = folded.has(foldName(key));
        if (known.size >= MAX_CACHED) known.clear();
        known.set(key, isListed);
      }
      return isListed;
    },
  };
}
