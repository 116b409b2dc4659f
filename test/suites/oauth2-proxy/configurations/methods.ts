/** Each endpoint by methods and in spellings that nobody would type, and for programs. */
import { one } from '../configuration.ts';
import type { Configuration } from '../configuration.ts';

const ENDPOINTS = ['auth', 'sign_in', 'start', 'callback', 'userinfo', 'sign_out'];
const JSON_ONLY = [['Accept', 'application/json']] as const;
const FORM = [['Content-Type', 'application/x-www-form-urlencoded']] as const;
const PROGRAM = [
  ['Accept', '*/*'],
  ['X-Requested-With', 'XMLHttpRequest'],
] as const;

export const methods: Configuration = {
  name: 'methods',
  env: { WHITELIST_DOMAINS: '.example.com' },
  cases: [
    ...ENDPOINTS.flatMap((endpoint) => [
      ...['HEAD', 'OPTIONS', 'PUT', 'DELETE'].flatMap((method) => [
        one(`${method}-${endpoint}`, `${method} /oauth2/${endpoint}`),
        one(`${method}-${endpoint}-alice`, `${method} /oauth2/${endpoint}`, { as: 'alice' }),
      ]),
      one(`json-${endpoint}`, `GET /oauth2/${endpoint}`, { headers: JSON_ONLY }),
      one(`json-${endpoint}-alice`, `GET /oauth2/${endpoint}`, { headers: JSON_ONLY, as: 'alice' }),
      one(`program-${endpoint}`, `GET /oauth2/${endpoint}`, { headers: PROGRAM }),
      one(`slash-${endpoint}`, `GET /oauth2/${endpoint}/`),
      one(`double-${endpoint}`, `GET /oauth2//${endpoint}`),
      one(`question-${endpoint}`, `GET /oauth2/${endpoint}?`),
    ]),
    ...['sign_in', 'start', 'sign_out'].flatMap((endpoint) => [
      one(`POST-${endpoint}`, `POST /oauth2/${endpoint}?rd=%2Fquery`, { body: 'rd=%2Fform', headers: FORM }),
      one(`POST-${endpoint}-no-form`, `POST /oauth2/${endpoint}?rd=%2Fquery`, { body: 'rd=%2Fform' }),
    ]),
    one('rd-of-the-app', 'GET /x?rd=%2Fy'),
    one('rd-of-the-app-outside', 'GET /x?rd=https%3A%2F%2Fevil.test%2F'),
    one('ping-head', 'HEAD /ping'),
    one('ready-head', 'HEAD /ready'),
    one('robots-head', 'HEAD /robots.txt'),
    one('ping-json', 'GET /ping', { headers: JSON_ONLY }),
    one('ping-alice', 'GET /ping', { as: 'alice' }),
    one('ready-post', 'POST /ready', { body: '' }),
    one('ping-double', 'GET //ping'),
    one('ping-encoded', 'GET /pin%67'),
    one('app-delete', 'DELETE /x', { as: 'alice' }),
    one('app-delete-stranger', 'DELETE /x'),
    one('app-options-stranger', 'OPTIONS /x'),
    one('app-head-stranger', 'HEAD /x'),
    one('auth-rd', 'GET /oauth2/auth?rd=https%3A%2F%2Fevil.test', { as: 'alice' }),
    one('userinfo-rd', 'GET /oauth2/userinfo?allowed_groups=/ops', { as: 'alice' }),
    one('sign-out-outside', 'GET /oauth2/sign_out?rd=https%3A%2F%2Fevil.test%2F', { as: 'alice' }),
    one('sign-out-inside', 'GET /oauth2/sign_out?rd=https%3A%2F%2Fwiki.example.com%2F', { as: 'alice' }),
    one('sign-out-origin', 'GET /oauth2/sign_out', { as: 'alice', headers: [['Origin', 'https://evil.test']] }),
    one('percent-lower', 'GET /a%2fb%3a', { as: 'alice' }),
    one('percent-unneeded', 'GET /%41%7e', { as: 'alice' }),
    one('semicolons', 'GET /a;b=1/c;d', { as: 'alice' }),
    one('plus-space', 'GET /a+b?c+d', { as: 'alice' }),
    one('query-odd', 'GET /a?x=[1]&y={2}|3', { as: 'alice' }),
    one('query-question', 'GET /a?b?c', { as: 'alice' }),
    one('query-empty', 'GET /a?', { as: 'alice' }),
  ],
};
