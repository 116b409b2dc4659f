/**
 * Which way somebody signs in: the provider that the link names, that the route or the document names,
 * the only one there is, the one that this browser used last, or whichever is chosen on a page. Local
 * accounts are one way among them, and always reachable where the document has them.
 */
import { LOCAL_PROVIDER } from '../session/accounts.ts';
import type { NamedProvider } from './pages/account-provider.ts';
import { rememberedWay, rememberWay } from './remembered.ts';
import { splitUrl } from './return-path.ts';
import { signInSession } from './sign-in-session.ts';
import type { Context } from './context.ts';
import type { Ticket } from './ticket.ts';

export const LOCAL_WAY = 'local';

export interface Wish {
  readonly ticket: Ticket | null;
  /** `provider` of the query. */
  readonly named: string | null;
  /** The person asked for the page to choose on, or for another account. */
  readonly wantsChoice: boolean;
}

export type Way =
  | { readonly kind: 'local' }
  | { readonly kind: 'provider'; readonly id: string }
  | { readonly kind: 'choose' }
  | { readonly kind: 'none' };

export function chooseWay(context: Context, wish: Wish): Way {
  const ways = waysOf(context);
  if (wish.named !== null && ways.includes(wish.named)) return wayOf(wish.named);
  const [only, ...more] = ways;
  if (only === undefined) return { kind: 'none' };
  if (more.length === 0) return wayOf(only);
  if (wish.wantsChoice || wish.named !== null) return { kind: 'choose' };
  const set = presetWay(context, wish.ticket);
  if (set !== null && ways.includes(set)) return wayOf(set);
  const remembered = rememberedWay(context);
  return remembered !== null && ways.includes(remembered) ? wayOf(remembered) : { kind: 'choose' };
}

/** Ids of providers in the order of the document; local accounts last, where there are any. */
export function waysOf({ deps, settings }: Context): readonly string[] {
  const ids = deps.providers.list().map((provider) => provider.id);
  return settings.hasLocalAccounts ? [...ids, LOCAL_WAY] : ids;
}

/** The same with what each is called. */
export function namedProviders({ deps, settings }: Context): readonly NamedProvider[] {
  const list: readonly NamedProvider[] = deps.providers.list();
  return settings.hasLocalAccounts ? [...list, { id: LOCAL_PROVIDER }] : list;
}

/** For the answer that signs a local account in; null where there is no other way anyway. */
export function rememberLocal(context: Context): string | null {
  return waysOf(context).length > 1 ? rememberWay(context, LOCAL_WAY) : null;
}

/** The page to choose on, whatever is remembered. Whoever is signed in and looks for another way in wants another account. */
export function othersUrl(context: Context, ticketText: string | null): string {
  const other = signInSession(context) === null ? '' : '&switch=1';
  return `/.postern/sign-in?choose=1${other}${ticketText === null ? '' : `&ticket=${ticketText}`}`;
}

function wayOf(id: string): Way {
  return id === LOCAL_WAY ? { kind: 'local' } : { kind: 'provider', id };
}

/** What the route says comes before what the document says. */
function presetWay({ deps, settings }: Context, ticket: Ticket | null): string | null {
  if (ticket === null) return settings.provider;
  const { host, path } = splitUrl(ticket.origin + ticket.returnTo);
  return deps.providerFor?.(host, path) ?? settings.provider;
}
