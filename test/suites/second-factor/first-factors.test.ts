/** Two people who know one password set up a first authenticator app at once, through a gateway of two workers. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TOTP } from 'otpauth';
import { addUser, startPostern } from '../../support/postern.ts';
import { until } from '../../support/programs.ts';
import { createVisitor } from '../../support/visitor.ts';
import type { Visit, Visitor } from '../../support/visitor.ts';

const secretOn = (page: Visit): string =>
  (/<code class="secret">([^<]+)</.exec(page.body)?.[1] ?? '').replaceAll(' ', '');
const codesOn = (page: Visit): string[] =>
  [...page.body.matchAll(/<li><code>([^<]+)<\/code>/g)].map(([, code = '']) => code);

test('of first factors that are set up at once over two workers one is kept, and the codes that it shows are those that count', async () => {
  const postern = await startPostern({
    document: ({ https, health }) => `version: 1
listen: { http: off, https: "127.0.0.1:${https}", health: "127.0.0.1:${health}" }
workers: 2
sign_in: { url: "https://auth.localhost:${https}" }
hosts:
  vault.localhost: { to: "app:whoami", allow: [signed-in], require: second-factor }
`,
  });
  const at = (path: string): string => `https://auth.localhost:${postern.https}/.postern/${path}`;
  try {
    // oxlint-disable no-await-in-loop -- one account behind the other
    for (const name of ['ann', 'bob']) {
      const password = await addUser(postern, name, []);
      const signIn = async (visitor: Visitor, url: string): Promise<Visit> => {
        const pages: Visit[] = [];
        // On a busy machine people are asked to come back.
        await until(async () => {
          const page = await visitor.submit(await visitor.open(url), { name, password });
          return page.status !== 429 && page.status !== 503 && pages.push(page) > 0;
        }, `${name} has signed in`);
        return pages[0] as Visit;
      };
      const signedIn = async (): Promise<Visitor> => {
        const visitor = createVisitor();
        await signIn(visitor, at('sign-in'));
        return visitor;
      };
      // Each request has a connection of its own, so that both workers have some.
      const visitors = await Promise.all(Array.from({ length: 3 }, () => signedIn()));
      const pages = await Promise.all(visitors.map((visitor) => visitor.open(at('security?add=totp'))));
      const secrets = pages.map((page) => secretOn(page));
      const codeOf = (secret: string | undefined): string => new TOTP({ secret: secret ?? '' }).generate();
      const answers = await Promise.all(
        visitors.map((visitor, i) => visitor.submit(pages[i] as Visit, { code: codeOf(secrets[i]), name: `app ${i}` })),
      );
      const first = answers.findIndex((page) => codesOn(page).length > 0);
      const codes = codesOn(answers[first] as Visit);
      assert.deepEqual(
        answers.map((page) => codesOn(page).length).sort((a, b) => a - b),
        [0, 0, 10],
      );
      const overview = await visitors[first]?.open(at('security'));
      assert.match(overview?.body ?? '', new RegExp(`aria-label="Remove app ${first}"`));
      assert.equal(overview?.body.match(/value="remove"/g)?.length, 1);
      const guest = createVisitor();
      const step = await signIn(guest, `https://vault.localhost:${postern.https}/`);
      assert.match(step.body, /One more step/);
      const entered = await guest.submit(step, { code: codes[0] ?? '' }, '/.postern/second-step');
      assert.equal(new URL(entered.url).hostname, 'vault.localhost');
      assert.equal(entered.status, 200);
    }
    // oxlint-enable no-await-in-loop
  } finally {
    await postern.close();
  }
});
