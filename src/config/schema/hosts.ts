/** Shape of `hosts:` and `default:`. */
import type * as z from 'zod';
import { routeKeys, type RouteInput, routeShape } from './routes.ts';
import { key, map, oneOrMore, section } from './shapes.ts';
import { type HostTlsInput, type HstsInput, hostTlsShape, hstsShape } from './tls.ts';

export interface HostInput extends RouteInput {
  readonly tls?: HostTlsInput | undefined;
  readonly hsts?: HstsInput | undefined;
  readonly paths?: Readonly<Record<string, RouteInput | readonly RouteInput[]>> | undefined;
}

export const hostShape: z.ZodType<HostInput> = section(
  {
    tls: key(
      hostTlsShape,
      'Where the certificate of this host comes from: `acme` (ordered from a CA, see `acme`), `local` (the local CA), files, or `off` (plain HTTP, behind another TLS terminator); and client certificates. Without it: what `tls.certificates` has for the name; for private names the local CA; for public ones a CA, where the document has an `acme` section.',
      {
        default: 'automatic',
        examples: ['acme', 'local', { certificate: '/etc/ssl/app.pem', key: '/etc/ssl/app.key' }],
      },
    ),
    hsts: key(hstsShape, 'Instead of `tls.hsts` for this host: whether browsers are told to come by HTTPS only.', {
      default: 'automatic',
      examples: ['off', { max_age: '365d', include_subdomains: true }],
    }),
    paths: key(
      map(oneOrMore(routeShape, 'a map with "to" and "allow", or a list of them'), 'a map of paths'),
      'Routes by path: `/x` is that path, `/x/*` is `/x` and all below. The most specific wins. A list holds routes told apart by `methods` and `headers`. What the host says beside `paths` holds for each of them.',
      { examples: [{ '/api/*': { to: 'http://127.0.0.1:3100', allow: ['service:ci'] } }] },
    ),
    ...routeKeys,
  },
  'a map with "to" and "allow", or with "paths"',
);
