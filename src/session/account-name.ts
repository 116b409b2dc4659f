/**
 * One spelling for one account name: NFKC, lower-case, trimmed. What is left must be plain ASCII, so
 * that look-alikes are refused and every name can stand in a rule, a log line or a path.
 */
const PLAIN = /^[a-z0-9_][a-z0-9._-]{0,63}$/;
const EMAIL_LIKE = /^[a-z0-9._%+-]{1,64}@[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/;
const MAX_TYPED = 512;
const MAX_GROUP = 128;

/** The canonical name, or null for what can be none. */
export function canonicaliseName(typed: string): string | null {
  if (typed.length > MAX_TYPED) return null;
  const name = typed.normalize('NFKC').trim().toLowerCase();
  return PLAIN.test(name) || (EMAIL_LIKE.test(name) && !name.includes('..')) ? name : null;
}

export function isGroupName(group: string): boolean {
  return (
    group.length > 0 &&
    group.length <= MAX_GROUP &&
    !/[\u0000-\u001f\u007f-\u009f]/.test(group) &&
    group.trim() === group
  );
}
