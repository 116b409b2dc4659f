import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { brandCss, brandStyle, contrast, POSTERN_BRAND } from './brand.ts';
import { renderPage, pageHeaders } from './page.ts';
import { html } from './html.ts';
import { EN } from '../texts/en.ts';

const rgb = (hex: string): [number, number, number] => [
  Number.parseInt(hex.slice(1, 3), 16),
  Number.parseInt(hex.slice(3, 5), 16),
  Number.parseInt(hex.slice(5, 7), 16),
];

test('brandCss() keeps every colour readable in light and dark', () => {
  const color = fc.integer({ min: 0, max: 0xffffff }).map((one) => `#${one.toString(16).padStart(6, '0')}`);
  fc.assert(
    fc.property(color, (one) => {
      const css = brandCss(one);
      const sets = [...css.matchAll(/--accent:(#\w+);--accent-hi:(#\w+);--on-accent:(#\w+);--tint:(#\w+)/g)];
      assert.equal(sets.length, 2, css);
      for (const [index, [, accent = '', , onAccent = '', tint = '']] of sets.entries()) {
        const card = rgb(index === 0 ? '#ffffff' : '#1b2024');
        assert.ok(contrast(rgb(accent), card) >= 4.5, `${one} on the card: ${css}`);
        assert.ok(contrast(rgb(accent), rgb(tint)) >= 4.5, `${one} on its tint: ${css}`);
        assert.ok(contrast(rgb(onAccent), rgb(accent)) >= 4.5, `text on ${one}: ${css}`);
      }
    }),
    { examples: [['#000000'], ['#ffffff'], ['#ffff00'], ['#0000ff'], ['#23594b']] },
  );
});

test('renderPage() shows the brand, and the policy allows its style alone', () => {
  const brand = { name: 'Acme <Lab>', logo: 'data:image/png;base64,AAAA', color: '#aa3377' };
  const page = renderPage({ texts: EN, title: 'T', main: html`<h1>x</h1>`, brand });
  assert.match(page, /<img class="logo" src="data:image\/png;base64,AAAA" alt="" ?\/?>/);
  assert.match(page, /Acme &lt;Lab&gt;/);
  assert.match(page, /<link rel="icon" href="data:image\/png;base64,AAAA">/);
  const policy = pageHeaders({ brand }).find(([name]) => name === 'Content-Security-Policy')?.[1] ?? '';
  assert.ok(policy.includes(brandStyle(brand)?.source ?? 'none'));
  assert.equal(brandStyle(POSTERN_BRAND), null);
});
