/**
 * Builds the fields of the request that an app gets. First everything goes that belongs to the
 * client's connection or that speaks about the visitor, in whatever spelling; only then what Postern
 * knows is added, so that a client's `Connection: X-Forwarded-User` cannot remove it.
 * Framing fields are not written here: whoever sends the body does.
 */
import { compileEdits, fieldValue } from './header-edits.ts';
import {
  AUTHORIZATION,
  COOKIE,
  DROP,
  FORWARDED_FOR,
  FORWARDED_HOST,
  FORWARDED_PORT,
  FORWARDED_PROTO,
  KEEP,
  MAX_FORWARDS,
  TE,
  VIA,
  verdictOf,
} from './header-verdict.ts';
import type { ForwardPlan } from './plan.ts';
import { hasToken, namedByConnection } from '../wire/hop-by-hop.ts';
import type { Exchange } from '../wire/exchange.ts';
import type { HeaderBlock } from '../wire/header-block.ts';
import { RequestLines } from '../wire/request-lines.ts';

export interface BuiltFields {
  /** Without Host, the request's id, and framing. */
  readonly lines: RequestLines;
  /** The client takes trailers. */
  readonly takesTrailers: boolean;
  /** The visitor signs the connection to the app in, and not the request: NTLM, Negotiate. */
  readonly bindsConnection: boolean;
}

/**
 * Answers null where the request has passed through this instance before. What was built from a block
 * that its connection repeats is kept with it, and serves again as long as everything else is the same.
 */
export function buildRequestFields(exchange: Exchange, plan: ForwardPlan, viaName: string): BuiltFields | null {
  const { headers, method } = exchange.request;
  // Its Max-Forwards counts down (RFC 9110 section 7.6.2), that of other methods does not.
  if (method === 'OPTIONS') return build(exchange, plan, viaName);
  const kept = headers.isRemembered ? keptFields.get(headers) : undefined;
  const built = kept !== undefined && isSameCase(kept, plan, viaName) ? kept.fields : build(exchange, plan, viaName);
  if (built === null) return null;
  if (headers.isRemembered && built !== kept?.fields) keptFields.set(headers, { plan, viaName, fields: built });
  return built;
}

const SIGNS_CONNECTION_IN = /^(?:ntlm|negotiate)(?![^ ])/i;

interface KeptFields {
  readonly plan: ForwardPlan;
  readonly viaName: string;
  readonly fields: BuiltFields;
}

const keptFields = new WeakMap<HeaderBlock, KeptFields>();

/** Everything that `build` reads but the header block and the connection, which the block belongs to. */
function isSameCase({ plan, viaName }: KeptFields, now: ForwardPlan, nowVia: string): boolean {
  return (
    plan.identityHeaders === now.identityHeaders &&
    plan.strip === now.strip &&
    plan.requestHeaders === now.requestHeaders &&
    plan.removeAuthorization === now.removeAuthorization &&
    plan.fromTrustedProxy === now.fromTrustedProxy &&
    plan.removeCookies === now.removeCookies &&
    plan.clientIp === now.clientIp &&
    plan.scheme === now.scheme &&
    plan.publicPort === now.publicPort &&
    plan.hostHeader === now.hostHeader &&
    viaName === nowVia
  );
}

/**
 * Of a request's trailers, what its header could have said too: an app that merges them into its header would
 * take the name of a person from there (RFC 9110 section 6.5.1). Null where nothing is left.
 */
export function keepRequestTrailers(
  trailers: HeaderBlock,
  headers: HeaderBlock,
  plan: Pick<ForwardPlan, 'strip' | 'requestHeaders'>,
): HeaderBlock | null {
  const named = namedByConnection(headers);
  const edits = compileEdits(plan.requestHeaders);
  trailers.removeWhere(
    (key) =>
      verdictOf(key) !== KEEP || plan.strip?.has(key) === true || edits.replaces(key) || named?.has(key) === true,
  );
  return trailers.size === 0 ? null : trailers;
}

/** All fields but the request's id. */
function build(exchange: Exchange, plan: ForwardPlan, viaName: string): BuiltFields | null {
  const { request } = exchange;
  const { names, keys, values } = request.headers;
  const named = namedByConnection(request.headers);
  const edits = compileEdits(plan.requestHeaders);
  const { strip } = plan;
  const claimed = new Claims();
  let text = '';
  let cookie = '';
  let takesTrailers = request.version === '2';
  let bindsConnection = false;
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i] as string;
    const verdict = verdictOf(key);
    if (verdict === DROP || (named !== null && named.has(key))) continue;
    if (!edits.isEmpty && edits.replaces(key)) continue;
    if (strip !== null && strip.has(key)) continue;
    const value = values[i] as string;
    switch (verdict) {
      case KEEP:
        text += `${names[i] as string}: ${value}\r\n`;
        break;
      case COOKIE: {
        const rest = plan.removeCookies(value);
        if (rest !== null && rest !== '') cookie = cookie === '' ? rest : `${cookie}; ${rest}`;
        break;
      }
      case AUTHORIZATION:
        bindsConnection ||= SIGNS_CONNECTION_IN.test(value);
        if (!plan.removeAuthorization) text += `${names[i] as string}: ${value}\r\n`;
        break;
      case MAX_FORWARDS:
        text += `${names[i] as string}: ${request.method === 'OPTIONS' && Number(value) > 0 ? Number(value) - 1 : value}\r\n`;
        break;
      case TE:
        takesTrailers ||= hasToken(value, 'trailers');
        break;
      default:
        claimed.take(verdict, value);
    }
  }
  const { via } = claimed;
  if (via !== '' && via.includes(viaName)) return null;
  if (cookie !== '') text += `Cookie: ${cookie}\r\n`;
  if (plan.fromTrustedProxy) text += trustedLines(exchange, plan, claimed);
  else text += ownLines(plan);
  if (plan.clientIp !== null) text += `X-Real-IP: ${plan.clientIp}\r\n`;
  text += `Via: ${via === '' ? '' : `${via}, `}${request.version} ${viaName}\r\n`;
  for (const [name, value] of plan.identityHeaders) text += `${name}: ${fieldValue(value)}\r\n`;
  return { lines: new RequestLines(text + edits.lines), takesTrailers, bindsConnection };
}

/** What the visitor's own connection shows. An unknown address is not said rather than guessed. */
function ownLines(plan: ForwardPlan): string {
  const who = plan.clientIp === null ? '' : `X-Forwarded-For: ${plan.clientIp}\r\n`;
  return `${who}X-Forwarded-Proto: ${plan.scheme}\r\nX-Forwarded-Host: ${plan.hostHeader}\r\nX-Forwarded-Port: ${plan.publicPort}\r\n`;
}

/** What others on the way said. */
class Claims {
  via = '';
  forwardedFor = '';
  proto: string | null = null;
  host: string | null = null;
  port: string | null = null;

  take(verdict: number, value: string): void {
    if (verdict === VIA) this.via = joined(this.via, value);
    else if (verdict === FORWARDED_FOR) this.forwardedFor = joined(this.forwardedFor, value);
    else if (verdict === FORWARDED_PROTO) this.proto ??= value;
    else if (verdict === FORWARDED_HOST) this.host ??= value;
    else if (verdict === FORWARDED_PORT) this.port ??= value;
  }
}

function joined(list: string, value: string): string {
  return list === '' ? value : `${list}, ${value}`;
}

/** Continues what a trusted proxy said. */
function trustedLines(exchange: Exchange, plan: ForwardPlan, claimed: Claims): string {
  const peer = exchange.connection.peerAddress;
  const chain = [claimed.forwardedFor, peer ?? ''].filter((one) => one !== '').join(', ');
  const proto = claimed.proto === 'https' || claimed.proto === 'http' ? claimed.proto : plan.scheme;
  const text = chain === '' ? '' : `X-Forwarded-For: ${chain}\r\n`;
  const port = claimed.port ?? String(plan.publicPort);
  return `${text}X-Forwarded-Proto: ${proto}\r\nX-Forwarded-Host: ${claimed.host ?? plan.hostHeader}\r\nX-Forwarded-Port: ${port}\r\n`;
}
