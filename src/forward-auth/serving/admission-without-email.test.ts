import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NO_SESSION } from '../auth-session.ts';
import { settingsWith } from '../settings-fixture.ts';
import { createAdmission } from './admission.ts';
import { createEmailRules } from './email-rules.ts';
import { withNamedAddresses } from './named-addresses.ts';
import type { Admission } from './admission.ts';
import type { AdmissionSettings } from '../settings.ts';

const NAMELESS = { ...NO_SESSION, user: 'u', via: 'provider' as const };

function admission(changes: Partial<AdmissionSettings>): Admission {
  const { admission: settings } = settingsWith({ admission: changes });
  const emails = withNamedAddresses(
    settings,
    createEmailRules(settings, () => undefined),
  );
  return createAdmission({ emails, provider: { authorizes: () => true }, htpasswd: null });
}

test('createAdmission() keeps out a session without an address that was opened under other rules', () => {
  assert.equal(admission({ emailDomains: ['example.com'] }).admits(NAMELESS), false);
  assert.equal(admission({ emailDomains: ['*'] }).admits(NAMELESS), false);
  assert.equal(admission({ admitsWithoutEmail: true }).admits(NAMELESS), true);
  assert.equal(admission({ admitsWithoutEmail: true }).judge(NAMELESS).kind, 'admitted');
});

test('withNamedAddresses() lets in the addresses that are named, in any case, and no others', () => {
  const { judge } = admission({ emailDomains: [], emails: ['ann@b.org'] });
  const of = (email: string): string => judge({ ...NAMELESS, email }).kind;
  assert.deepEqual(['Ann@B.org', 'bob@b.org', '', 'x@ann@b.org'].map(of), ['admitted', 'denied', 'denied', 'denied']);
});
