/** Addresses that stand in the settings themselves, beside domains and file; or no rule about addresses at all. */
import type { AdmissionSettings } from '../settings.ts';
import type { EmailRules } from './email-rules.ts';

export function withNamedAddresses(settings: AdmissionSettings, rules: EmailRules): EmailRules {
  const { emails = [], admitsWithoutEmail = false } = settings;
  if (admitsWithoutEmail) return { ...rules, allows: () => true };
  const named = new Set(emails);
  return named.size === 0
    ? rules
    : { ...rules, allows: (email) => named.has(email.toLowerCase()) || rules.allows(email) };
}
