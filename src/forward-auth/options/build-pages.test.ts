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
