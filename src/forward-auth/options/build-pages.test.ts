import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ENOUGH, errors, good, load } from './_told-fixture.ts';

test('loadSettings() reads the pages of custom_templates_dir, and says where one does not work', () => {
  const folder = mkdtempSync(join(tmpdir(), 'postern-pages-'));
  try {
    writeFileSync(
      join(folder, 'sign_in.html'),
      '<a href="{{.ProxyPrefix}}/start?rd={{.Redirect}}">{{.ProviderName}}</a>',
    );
    const args = [`--custom-templates-dir=${folder}`];
    assert.equal(good({ args }).pages.templatesFolder, folder);
    writeFileSync(join(folder, 'error.html'), 'x\n{{range .Messages}}');
    const [fault] = errors(load({ args: [...ENOUGH, ...args] }));
    assert.match(fault ?? '', /custom_templates_dir has a page that does not work: .*error\.html": line 2: .*range/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('loadSettings() warns of a page that was made from one of oauth2-proxy, and takes its style sheet', () => {
  const folder = mkdtempSync(join(tmpdir(), 'postern-pages-'));
  const warnings = (link: string): readonly string[] => {
    writeFileSync(
      join(folder, 'sign_in.html'),
      `<link rel="stylesheet" href="${link}"><a href="/x/static/css/a.css">x</a>`,
    );
    const loaded = load({ args: [...ENOUGH, `--custom-templates-dir=${folder}`] });
    return loaded.findings.filter(({ severity }) => severity === 'warning').map(({ message }) => message);
  };
  try {
    for (const link of ['{{.ProxyPrefix}}/static/css/bulma.min.css', '/oauth2/static/css/bulma.min.css'])
      assert.match(warnings(link).join(), /^has a page that takes "static\/css\/bulma\.min\.css" .* not there/);
    for (const link of ['{{.ProxyPrefix}}/static/postern.css', 'https://cdn.example.com/static/css/bulma.min.css'])
      assert.deepEqual(warnings(link), []);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
