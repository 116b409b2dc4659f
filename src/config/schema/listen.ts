/** Shape of `listen:`, `log:` and the other keys that concern the process rather than a host. */
import type * as z from 'zod';
import { either, flag, key, list, off, oneOrMore, section, text, whole, word } from './shapes.ts';

export interface ListenerInput {
  readonly address?: string | undefined;
  readonly tls?: 'off' | 'on' | boolean | undefined;
}

export type ListenersInput = string | number | ListenerInput | readonly (string | number | ListenerInput)[] | false;

export interface ListenInput {
  readonly http?: ListenersInput | undefined;
  readonly https?: ListenersInput | undefined;
  readonly health?: ListenersInput | undefined;
  readonly public_https_port?: number | undefined;
  readonly proxy_protocol?: string | readonly string[] | undefined;
}

export interface LogInput {
  readonly level?: 'debug' | 'info' | 'warn' | 'error' | undefined;
  readonly format?: 'json' | 'pretty' | 'auto' | undefined;
}

const ADDRESS = 'an address such as ":443" or "127.0.0.1:8443"';

function listeners(): z.ZodType<ListenersInput> {
  const address = either(text(ADDRESS), whole(0, 65_535), ADDRESS);
  const object = section(
    {
      address: key(text(ADDRESS), 'Where to listen.', { examples: [':443', '127.0.0.1:8443', '[::1]:443'] }),
      tls: key(
        either(word('off', 'on'), flag(), '"off"'),
        '`off`: serve plain HTTP here instead of answering 308 to HTTPS, for use behind another TLS terminator.',
        { default: 'on' },
      ),
    },
    'an address, or a map with "address"',
  );
  const one = either(address, object, `${ADDRESS}, or { address, tls }`);
  return either(off(), oneOrMore(one, `${ADDRESS}, a list of them, or "off"`), `${ADDRESS}, a list of them, or "off"`);
}

export const listenShape: z.ZodType<ListenInput> = section(
  {
    http: key(listeners(), 'Plain HTTP. Answers 308 to HTTPS, except for hosts and listeners with `tls: off`.', {
      default: ':80',
      examples: [':80', ['127.0.0.1:80', '[::1]:80'], { address: ':8080', tls: 'off' }],
    }),
    https: key(listeners(), 'HTTPS, with HTTP/1.1 and HTTP/2 on the same port.', { default: ':443' }),
    health: key(listeners(), 'Plain HTTP for `/healthz`, `/readyz` and `/metrics`. Keep it on loopback.', {
      default: '127.0.0.1:7070',
    }),
    public_https_port: key(
      whole(1, 65_535),
      'The HTTPS port that visitors type, where a router or container maps ports. Without it: the port of the first https listener.',
      { examples: [443] },
    ),
    proxy_protocol: key(
      oneOrMore(text('an address range such as "10.0.0.0/8"'), 'an address range or a list of them'),
      'Address ranges of balancers that send the PROXY protocol (v1 or v2). From these it is mandatory, from all others it is refused.',
      { examples: [['10.0.0.0/8']] },
    ),
  },
  'a map with "http", "https" and "health"',
);

export const logShape: z.ZodType<LogInput> = section(
  {
    level: key(word('debug', 'info', 'warn', 'error'), 'Least level that is logged.', { default: 'info' }),
    format: key(word('json', 'pretty', 'auto'), '`auto`: readable on a terminal, JSON lines elsewhere.', {
      default: 'auto',
    }),
  },
  'a map with "level" and "format"',
);

export const trustedProxiesShape: z.ZodType<string | readonly string[]> = either(
  text('an address range, "cloudflare" or "private"'),
  list(text('an address range, "cloudflare" or "private"'), 'a list'),
  'an address range, "cloudflare", "private", or a list of them',
);
