/**
 * A program of one's own behind HTTP: one POST for each change. `name` has no trailing dot; any 2xx means that it
 * is done, and both actions may come more than once.
 */
import { createApi } from '../api-client.ts';
import { secret, url } from '../provider-keys.ts';
import { type AnyProviderType, defineProviderType } from '../provider-type.ts';
import { nestedWords } from '../words.ts';

const PERMISSION = 'it takes "Authorization: Bearer" with the token of the document';

export const webhook: AnyProviderType = defineProviderType({
  type: 'webhook',
  title: 'Webhook',
  documentation: 'dns-providers.md#the-webhooks-requests',
  keys: {
    url: url('Where the changes are posted.', { example: 'https://dns-hook.internal/txt' }),
    token: secret('Sent as `Authorization: Bearer`.', { example: '${DNS_HOOK_TOKEN}' }),
  },
  permission: PERMISSION,
  triedAgainst: 'twin',
  create: ({ url: address, token }, tools, name) => {
    const { origin, pathname, search } = new URL(address);
    const headers = { authorization: `Bearer ${token}` };
    const api = createApi(
      {
        provider: 'the webhook',
        base: origin,
        headers,
        wordsOf: nestedWords,
        permission: PERMISSION,
        secrets: [token],
      },
      tools,
    );
    const post = async (step: string, json: object, signal: AbortSignal): Promise<void> => {
      await api.send({ step, method: 'POST', path: `${pathname}${search}`, json, signal });
    };
    return {
      name,
      setTxt: (fqdn, value, signal) => post('set the record', { action: 'set', name: fqdn, value }, signal),
      removeTxt: (fqdn, value, signal) => post('remove the record', { action: 'remove', name: fqdn, value }, signal),
    };
  },
});
