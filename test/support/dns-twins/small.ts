/** The APIs that set a value by one request: DuckDNS, acme-dns, the webhook. */
import * as z from 'zod';
import { bodyOf, Refusal, type Twin, violate } from './twin.ts';

export function duckdnsTwin(): Twin {
  const held = new Map<string, string>();
  return {
    type: 'duckdns',
    host: 'www.duckdns.org',
    settings: { token: 'a7c4d0ad-114e-40ef-ba1d-d217904a50f2' },
    wrongSettings: { token: 'b7c4d0ad-0000-40ef-ba1d-d217904a50f2' },
    names: { plain: '_acme-challenge.home.duckdns.org', missing: '_acme-challenge.home.example.com' },
    hasZones: true,
    isWhole: false,
    valuesOf: (fqdn) =>
      [...held.entries()].filter(([domain]) => fqdn.endsWith(`${domain}.duckdns.org`)).map(([, value]) => value),
    handle: ({ host, method, path, query }) => {
      if (host !== 'www.duckdns.org' || method !== 'GET' || path !== '/update') violate('host, method or path');
      for (const name of query.keys())
        if (!['domains', 'token', 'txt', 'clear'].includes(name)) violate(`parameter ${name}`);
      const domain = query.get('domains') ?? '';
      if (query.get('token') !== 'a7c4d0ad-114e-40ef-ba1d-d217904a50f2' || domain !== 'home')
        return { status: 200, text: 'KO' };
      if (query.get('clear') === 'true') held.delete(domain);
      else held.set(domain, query.get('txt') ?? violate('no txt'));
      return { status: 200, text: 'OK' };
    },
  };
}

const ACME_DNS = z.strictObject({ subdomain: z.uuid(), txt: z.string() });

export function acmeDnsTwin(origin: string): Twin {
  const sub = '8e5700ea-a4bf-41c7-8a77-e990661dcc6a';
  const settings = {
    url: origin,
    username: 'c36f50e8-4632-44f0-83fe-e070fef28a10',
    password: 'htB9mR9DYgcu9bX_afHF62erXaH2TS7bg9KW3F7Z',
    fulldomain: `${sub}.auth.example`,
  };
  const values: string[] = [];
  return {
    type: 'acme-dns',
    host: 'own',
    settings,
    wrongSettings: { ...settings, password: 'zzB9mR9DYgcu9bX_afHF62erXaH2TS7bg9KW3F7Z' },
    names: { plain: settings.fulldomain, missing: '_acme-challenge.app.example.com' },
    hasZones: true,
    isWhole: false,
    valuesOf: () => [...new Set(values)],
    handle: (request) => {
      if (request.method !== 'POST' || request.path !== '/update') violate('method or path');
      const { headers } = request;
      if (headers['x-api-user'] !== settings.username || headers['x-api-key'] !== settings.password)
        throw new Refusal({ status: 401, json: { error: 'forbidden' } });
      const { subdomain, txt } = bodyOf(request, ACME_DNS);
      if (subdomain !== sub) throw new Refusal({ status: 401, json: { error: 'forbidden' } });
      if (txt.length !== 43) throw new Refusal({ status: 400, json: { error: 'bad_txt' } });
      values.unshift(txt);
      values.length = Math.min(2, values.length);
      return { status: 200, json: { txt } };
    },
  };
}

const HOOK = z.strictObject({ action: z.enum(['set', 'remove']), name: z.string(), value: z.string() });

export function webhookTwin(origin: string): Twin {
  const names = new Map<string, Set<string>>();
  return {
    type: 'webhook',
    host: 'own',
    settings: { url: `${origin}/hooks/txt?account=1`, token: 'hook-token-Rr8' },
    wrongSettings: { url: `${origin}/hooks/txt?account=1`, token: 'hook-wrong-Ss9' },
    hasZones: false,
    isWhole: true,
    valuesOf: (fqdn) => [...(names.get(fqdn) ?? [])],
    handle: (request) => {
      if (request.method !== 'POST' || request.path !== '/hooks/txt' || request.query.get('account') !== '1')
        violate('method or path');
      if (request.headers['authorization'] !== 'Bearer hook-token-Rr8')
        throw new Refusal({ status: 401, json: { error: 'who are you' } });
      const { action, name, value } = bodyOf(request, HOOK);
      const values = names.get(name) ?? new Set();
      names.set(name, values);
      if (action === 'set') values.add(value);
      else values.delete(value);
      return { status: 204 };
    },
  };
}
