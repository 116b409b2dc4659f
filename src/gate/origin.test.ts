import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isUpgradeOriginAllowed } from './origin.ts';

test('isUpgradeOriginAllowed() wants the same scheme, host and port, or a listed origin', () => {
  const own = 'https://app.example';
  for (const origin of ['https://app.example', 'https://app.example:443', 'HTTPS://APP.example'])
    assert.ok(isUpgradeOriginAllowed(origin, own, []), origin);
  for (const origin of [
    undefined,
    '',
    'null',
    'http://app.example',
    'https://app.example:8443',
    'https://app.example.evil',
    'https://evil.example',
    'https://xapp.example',
  ]) {
    assert.ok(!isUpgradeOriginAllowed(origin, own, []), String(origin));
  }
  assert.ok(isUpgradeOriginAllowed('https://app.example:8443', 'https://app.example:8443', []));
  assert.ok(isUpgradeOriginAllowed('https://ide.example', own, ['https://ide.example']));
  assert.ok(isUpgradeOriginAllowed('https://x.example', own, ['*']) && !isUpgradeOriginAllowed('null', own, ['*']));
});
