/** The static table of HPACK (RFC 7541 appendix A). */
import { TableEntry } from './table-entry.ts';

const FIELDS = `:authority
:method: GET
:method: POST
:path: /
:path: /index.html
:scheme: http
:scheme: https
:status: 200
:status: 204
:status: 206
:status: 304
:status: 400
:status: 404
:status: 500
accept-charset
accept-encoding: gzip, deflate
accept-language
accept-ranges
accept
access-control-allow-origin
age
allow
authorization
cache-control
content-disposition
content-encoding
content-language
content-length
content-location
content-range
content-type
cookie
date
etag
expect
expires
from
host
if-match
if-modified-since
if-none-match
if-range
if-unmodified-since
last-modified
link
location
max-forwards
proxy-authenticate
proxy-authorization
range
referer
refresh
retry-after
server
set-cookie
strict-transport-security
transfer-encoding
user-agent
vary
via
www-authenticate`.split('\n');

function parseEntry(line: string): TableEntry {
  const [, name = '', value = ''] = /^(:?[^:]+)(?:: (.*))?$/.exec(line) ?? [];
  return new TableEntry(name, value);
}

/** By index; the table begins at 1. */
export const STATIC_TABLE: readonly TableEntry[] = [new TableEntry('', ''), ...FIELDS.map(parseEntry)];

export const FIRST_DYNAMIC: number = STATIC_TABLE.length;

/** The first entry of each name. */
export const STATIC_NAMES: ReadonlyMap<string, number> = new Map(
  STATIC_TABLE.map(({ name }, index) => [name, index] as const).toReversed(),
);
