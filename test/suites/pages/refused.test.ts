/**
 * The 403 page that an app's host shows to somebody who is signed in there: it names the account and whose it is, offers
 * another one, has the request's id, and tells the rule to those alone whom the document lets know.
 */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { startTwin } from '../../../src/sign-in/oidc/_twin.ts';
import type { Twin } from '../../../src/sign-in/oidc/_twin.ts';
import { addUser, signIn, startPostern } from '../../support/postern.ts';
import type { PosternProcess } from '../../support/postern.ts';
import { createVisitor } from '../../support/visitor.ts';
import type { Visitor } from '../../support/visitor.ts';

const LANGUAGES: Readonly<Record<string, RegExp>> = {
  en: /<html lang="en">[\s\S]*No access[\s\S]*a local account[\s\S]*Use another account/,
  'ko-KR': /<html lang="ko">[\s\S]*접근 권한이 없습니다[\s\S]*로컬 계정[\s\S]*다른 계정 사용/,
  'zh-CN': /<html lang="zh-Hans">[\s\S]*没有访问权限[\s\S]*本地账号[\s\S]*使用其他账号/,
};

suite('refused on the host of an app', () => {
  let twin: Twin;
  let postern: PosternProcess;
  const people = new Map<string, Visitor>();
  const passwords = new Map<string, string>();
  const url = (path: string): string => `https://app.localhost:${postern.https}${path}`;

  before(async () => {
    twin = await startTwin();
    postern = await startPostern({
      document: ({ https, health }) => `version: 1
listen: { http: off, https: "127.0.0.1:${https}", health: "127.0.0.1:${health}" }
providers:
  local: { type: local }
  company: { type: oidc, name: Company account, issuer: "${twin.issuer}", client_id: "${twin.clientId}", client_secret: "${twin.clientSecret}" }
sign_in: { url: "https://auth.localhost:${https}", provider: local, show_rule_to: ["local:group:admins"] }
hosts:
  app.localhost:
    paths:
      /staff/*: { to: "app:whoami", allow: ["local:group:payroll"] }
      /lab/*: { to: "app:whoami", allow: ["local:group:lab", "company:group:/lab"] }
      /*: { to: "app:whoami", allow: [signed-in] }
`,
    });
    for (const [name, groups] of [
      ['ada', ['admins']],
      ['bob', []],
    ] as const)
      passwords.set(name, await addUser(postern, name, [...groups]));
    for (const [name, password] of passwords) people.set(name, await signIn(url('/'), name, password));
  });
  after(async () => {
    await postern?.close();
    await twin?.stop();
  });

  const ask = async (
    name: string,
    accept: string,
    { language = 'en', path = '/staff/x' } = {},
  ): Promise<{ status: number; body: string }> => {
    const visitor = people.get(name) as Visitor;
    assert.equal((await visitor.send(url('/'))).status, 200, 'signed in here');
    return visitor.send(url(path), { headers: { accept, 'accept-language': language } });
  };

  test('the page names the account, whose it is, another way and the id, in the language of the visitor', async () => {
    for (const [language, words] of Object.entries(LANGUAGES)) {
      const { status, body } = await ask('bob', 'text/html', { language });
      assert.equal(status, 403);
      assert.match(body, words);
      assert.match(body, /<bdi class="name">bob<\/bdi\s*>/);
      assert.match(body, /href="\/\.postern\/start\?switch=1&amp;to=%2Fstaff%2Fx"/);
      const id = /<footer>[^<]*(?:<[^>]+>)?([a-z0-9]{16,24})/.exec(body)?.[1] ?? 'none';
      await postern.waitFor(`"requestId":"${id}"`);
    }
  });

  test('the rule is told to whom the document lets know, and to nobody else, in whatever form', async () => {
    for (const accept of ['text/html', 'application/json', 'text/plain']) {
      const bob = await ask('bob', accept);
      assert.equal(bob.status, 403);
      assert.doesNotMatch(bob.body, /payroll|group:/, accept);
    }
    const page = await ask('ada', 'text/html');
    assert.match(page.body, /local:group:payroll[\s\S]*groups are &quot;admins&quot;/);
    const json = JSON.parse((await ask('ada', 'application/json')).body) as Record<string, unknown>;
    assert.match(String(json['reason']), /groups are "admins", wanted "payroll"/);
  });

  test('of several rules that could have let them in each is told, by the app host and by the sign-in host', async () => {
    const here = await ask('ada', 'text/html', { path: '/lab/x' });
    const stranger = createVisitor();
    const form = await stranger.open(url('/lab/x'));
    const there = await stranger.submit(form, { name: 'ada', password: passwords.get('ada') ?? '' }, 'sign-in');
    assert.match(there.url, /^https:\/\/auth\.localhost/);
    for (const { status, body } of [here, there]) {
      assert.equal(status, 403);
      assert.match(body, /local:group:lab<[\s\S]*groups are &quot;admins&quot;[\s\S]*company:group:\/lab</);
      assert.doesNotMatch(body, /no rule/);
    }
    assert.doesNotMatch((await ask('bob', 'text/html', { path: '/lab/x' })).body, /group:/);
  });
});
