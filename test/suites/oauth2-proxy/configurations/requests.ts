/** Requests as few send them: older versions, rare methods, other targets, long forms, upgrades from elsewhere. */
import { one } from '../configuration.ts';
import type { Configuration } from '../configuration.ts';
import type { Field } from '../raw-client.ts';

const ENDPOINTS = ['auth', 'sign_in', 'start', 'callback', 'userinfo', 'sign_out'];
const FORM: Field = ['Content-Type', 'application/x-www-form-urlencoded'];
const WEBSOCKET: readonly Field[] = [
  ['Connection', 'Upgrade'],
  ['Upgrade', 'websocket'],
  ['Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZQ=='],
  ['Sec-WebSocket-Version', '13'],
];
const LONG = `rd=%2Ff&a=${'x'.repeat(200_000)}`;

export const oddRequests: Configuration = {
  name: 'odd-requests',
  env: {},
  cases: [
    ...ENDPOINTS.flatMap((endpoint) => [
      one(`http-1-0-${endpoint}`, `GET /oauth2/${endpoint} HTTP/1.0`),
      one(`http-1-0-hostless-${endpoint}`, `GET /oauth2/${endpoint} HTTP/1.0`, { host: null }),
      one(`http-1-0-${endpoint}-alice`, `GET /oauth2/${endpoint} HTTP/1.0`, { as: 'alice' }),
      one(`patch-${endpoint}`, `PATCH /oauth2/${endpoint}`, { body: 'x' }),
      one(`trace-${endpoint}`, `TRACE /oauth2/${endpoint}`),
    ]),
    one('http-1-0-app', 'GET /x HTTP/1.0', { as: 'alice' }),
    one('http-1-0-app-hostless', 'GET /x HTTP/1.0', { as: 'alice', host: null }),
    one('http-1-0-app-stranger', 'GET /x HTTP/1.0'),
    one('http-1-0-ping', 'GET /ping HTTP/1.0', { host: null }),
    one('http-1-0-pieces', 'GET /pieces HTTP/1.0', { as: 'alice' }),
    one('http-1-0-kept', 'GET /x HTTP/1.0', { as: 'alice', headers: [['Connection', 'keep-alive']] }),
    one('http-1-0-post', 'POST /x HTTP/1.0', { as: 'alice', body: 'abc' }),
    one('http-1-2', 'GET /x HTTP/1.2', { as: 'alice' }),
    one('http-2-0', 'GET /x HTTP/2.0', { as: 'alice' }),
    one('trace-app', 'TRACE /x', { as: 'alice' }),
    one('host-empty', 'GET /oauth2/start', { host: '' }),
    one('host-broken', 'GET /oauth2/start', { host: 'a b' }),
    one('absolute-auth', 'GET http://app.example.com/oauth2/auth', { as: 'alice' }),
    one('absolute-start', 'GET http://app.example.com/oauth2/start?rd=%2Fx'),
    one('absolute-other', 'GET http://other.example.com/oauth2/start'),
    one('asterisk-stranger', 'OPTIONS *'),
    one('hop-by-hop', 'GET /x', {
      as: 'alice',
      headers: [
        ['Proxy-Connection', 'keep-alive'],
        ['Proxy-Authorization', 'Basic YTpi'],
        ['Keep-Alive', 'timeout=5'],
        ['X-Kept', '1'],
        ['X-Gone', '2'],
        ['Connection', 'X-Gone'],
      ],
    }),
    one('long-body-auth', 'POST /oauth2/auth', { as: 'alice', body: LONG }),
    ...['sign_in', 'start', 'callback'].map((endpoint) =>
      one(`long-form-${endpoint}`, `POST /oauth2/${endpoint}`, { body: LONG, headers: [FORM] }),
    ),
  ],
};

const socket = (id: string, origin: readonly Field[]): ReturnType<typeof one> =>
  one(id, 'GET /ws', { as: 'alice', headers: [...WEBSOCKET, ...origin], afterUpgrade: 'hello' });

export const upgrades: Configuration = {
  name: 'upgrades',
  env: { WHITELIST_DOMAINS: '.example.com' },
  cases: [
    socket('origin-own', [['Origin', 'https://app.example.com']]),
    socket('origin-http', [['Origin', 'http://app.example.com']]),
    socket('origin-listed', [['Origin', 'https://wiki.example.com']]),
    socket('origin-other', [['Origin', 'https://evil.test']]),
    socket('origin-null', [['Origin', 'null']]),
    socket('protocol', [
      ['Sec-WebSocket-Protocol', 'chat, x'],
      ['Sec-WebSocket-Extensions', 'permessage-deflate'],
    ]),
    one('h2c', 'GET /x', {
      as: 'alice',
      headers: [
        ['Connection', 'Upgrade, HTTP2-Settings'],
        ['Upgrade', 'h2c'],
        ['HTTP2-Settings', 'AAMAAABkAAQAAP__'],
      ],
    }),
    one('unknown', 'GET /x', {
      as: 'alice',
      headers: [
        ['Connection', 'Upgrade'],
        ['Upgrade', 'foo'],
      ],
    }),
    one('post', 'POST /ws', { as: 'alice', headers: WEBSOCKET, body: 'x' }),
    one('auth', 'GET /oauth2/auth', { as: 'alice', headers: WEBSOCKET }),
    one('auth-stranger', 'GET /oauth2/auth', { headers: WEBSOCKET }),
    one('userinfo', 'GET /oauth2/userinfo', { as: 'alice', headers: WEBSOCKET }),
    one('constraint', 'GET /ws?allowed_groups=none', { as: 'alice', headers: WEBSOCKET }),
  ],
};
