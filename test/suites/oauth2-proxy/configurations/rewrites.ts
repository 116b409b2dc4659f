/** Rewrites of the structured file: what a path and a template may hold, and where what is escaped goes. */
import { STRUCTURED } from './alpha.ts';
import { one } from '../configuration.ts';
import type { Configuration } from '../configuration.ts';

const PATHS = `
/r/a/b /r/a%2Fb /r/a%2fb/c /r/a%20b /r/a%3Fb /r/a%25b /r/a%2541 /r/a%2Eb /r/a;b /r/%2e%2e/b /r/..%2Fb
/r/x%2F..%2F..%2Fadmin /r/%C3%A4 /r/a%23b /r/a%5Cb /r/a+b /r/a&b=c /r/a'b(c)*! /r/%41 /r/a%0Ab /r/a%22b /r/a%3Cb
/r/a|b /r/a[b] /r/a%5Bb%5D /r/a%3Ab@ /r/?x=%2F&y=a%20b&z /r/a?b=c%26d /r/%FF /r/ /r /named/a/b /two/x/y /dollar/a
/lettered/a /absent/a /q/a /q/a%26b /q/a%20b /q/a+b /q/a?x=1 /q/a%3Db /rel/a /whole/a/b /sp%20ace/x
/gr%C3%B6%C3%9Fe/x /gr%C3%B6%C3%9Fe2/x /sp%20ace2/x /class/a%20b /class/ab /sock/a%2Fb /fs/a%20b.txt
/fs/sub%2Fp.txt /plus+x/y /upper/%C3%A4 /base/x /none/x
`
  .trim()
  .split(/\s+/);

const rewrites = (name: string, isRaw: boolean): Configuration => ({
  name,
  ...STRUCTURED,
  files: {
    'files/a b.txt': 'a file\n',
    'files/sub/p.txt': 'another\n',
    'alpha.yaml': `server:
  BindAddress: 127.0.0.1:{port}
providers:
- id: house
  provider: oidc
  clientID: front-door
  clientSecret: secret-of-the-front-door
  scope: openid email profile
  oidcConfig: { issuerURL: '{issuer}', groupsClaim: groups, emailClaim: email, audienceClaims: [aud], insecureSkipNonce: true }
upstreamConfig:
  proxyRawPath: ${isRaw}
  upstreams:
  - { id: main, path: /, uri: '{app}' }
  - { id: r, path: '^/r/(.*)$', rewriteTarget: '/new/$1', uri: '{app}' }
  - { id: whole, path: '^/whole/(.*)$', rewriteTarget: '/pre$0', uri: '{app}' }
  - { id: named, path: '^/named/(?P<first>[^/]+)/(?P<rest>.*)$', rewriteTarget: '/n/$\${rest}/$$first', uri: '{app}' }
  - { id: two, path: '^/two/([^/]+)/([^/]+)$', rewriteTarget: '/t/$1', uri: '{app}' }
  - { id: dollar, path: '^/dollar/(.*)$', rewriteTarget: '/d$$$$x/$1', uri: '{app}' }
  - { id: lettered, path: '^/lettered/(.*)$', rewriteTarget: '/l/$1x', uri: '{app}' }
  - { id: absent, path: '^/absent/.*$', rewriteTarget: '/a/$1/b', uri: '{app}' }
  - { id: query, path: '^/q/(.*)$', rewriteTarget: '/s?name=$1&lit=a%20b', uri: '{app}' }
  - { id: relative, path: '^/rel/(.*)$', rewriteTarget: 'rel/$1', uri: '{app}' }
  - { id: space, path: '^/sp ace/(.*)$', rewriteTarget: '/space/$1', uri: '{app}' }
  - { id: utf, path: '^/größe/(.*)$', rewriteTarget: '/size/$1', uri: '{app}' }
  - { id: into-utf, path: '^/upper/(.*)$', rewriteTarget: '/Größe x/$1', uri: '{app}' }
  - { id: class, path: '^/class/([a-z ]+)$', rewriteTarget: '/c/$1', uri: '{app}' }
  - { id: socket, path: '^/sock/(.*)$', rewriteTarget: '/s/$1', uri: 'unix://{socket}' }
  - { id: plain-utf, path: '/größe2/', uri: 'unix://{socket}' }
  - { id: plain-space, path: '/sp ace2/', uri: 'unix://{socket}' }
  - { id: plain-plus, path: '/plus+x/', uri: 'unix://{socket}' }
  - { id: files, path: '/fs/', uri: 'file://{dir}/files' }
  - { id: base, path: '/base/', uri: '{app}/elsewhere' }
  - { id: none, path: '/none/', static: true, staticCode: 204 }
`,
  },
  cases: PATHS.map((path) => one(path.slice(1), `GET ${path}`, { as: 'alice' })),
});

export const rewritten: readonly Configuration[] = [rewrites('rewrites', false), rewrites('rewrites-raw', true)];
