import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ENOUGH, errors, good, lines, load } from './_told-fixture.ts';

test('readFlags() takes a value after "=" or as the next word, and one dash with a warning', () => {
  assert.equal(good({ args: ['--cookie-name=a'] }).cookie.name, 'a');
  assert.equal(good({ args: ['--cookie-name', 'b'] }).cookie.name, 'b');
  assert.equal(good({ args: ['-cookie-name=c'] }).cookie.name, 'c');
  assert.match(
    lines(load({ args: [...ENOUGH, '-cookie-name=c'] })).join(''),
    /^warning -cookie-name: cookie-name has one dash/,
  );
});

test('readFlags() takes booleans alone or with "=", and refuses a word after them', () => {
  assert.equal(good({ args: ['--reverse-proxy'] }).trust.reverseProxy, true);
  assert.equal(good({ args: ['--cookie-secure=f'] }).cookie.secure, false);
  const loaded = load({ args: [...ENOUGH, '--cookie-secure', 'false'] });
  assert.deepEqual(errors(loaded), [
    'error --cookie-secure: cookie-secure is followed by "false", which it does not take; write --cookie-secure=false',
  ]);
});

test('readFlags() reads lists repeated, with commas, and with the quotes of a Kubernetes args list', () => {
  const { admission } = good({ args: ['--allowed-group="/developers"', '--allowed-group=b,"c,d"'] });
  assert.deepEqual(admission.groups, ['/developers', 'b', 'c,d']);
});

test('readFlags() refuses quotes around a value that is no list: they would be part of it', () => {
  const loaded = load({ args: [...ENOUGH, '--client-id="id"'] });
  assert.match(errors(loaded).join(''), /client_id is in quotes, which are taken as part of it: ""id""/);
});

test('readFlags() refuses a rule that is empty: nobody was named, and everybody would come in', () => {
  for (const flag of ['--allowed-group=', '--allowed-group=""', '--github-user='])
    assert.match(errors(load({ args: [...ENOUGH, flag] })).join(''), /is given and empty, and would restrict nobody/);
  assert.deepEqual(good({ args: ['--whitelist-domain=', '--whitelist-domain=""'] }).redirects.whitelist, []);
});

test('readFlags() names what was probably meant', () => {
  const loaded = load({ args: [...ENOUGH, '--allowed-groups=a', '--cookie-sekure', '--bogus=1'] });
  assert.deepEqual(errors(loaded), [
    'error --allowed-groups: allowed-groups is no flag that is known; did you mean --allowed-group?',
    'error --cookie-sekure: cookie-sekure is no flag that is known; did you mean --cookie-secure?',
    'error --bogus: bogus is no flag that is known; "postern forward-auth --help" lists them',
  ]);
});

test('readFlags() has the last of a repeated flag count, and a value missing be told', () => {
  assert.equal(good({ args: ['--cookie-name=a', '--cookie-name=b'] }).cookie.name, 'b');
  assert.match(errors(load({ args: [...ENOUGH, '--cookie-name'] })).join(''), /cookie-name has no value/);
});
