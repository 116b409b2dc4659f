import { hash } from 'node:crypto';

/** Who can sign in at the local provider, by the claims that it tells of them. */
export const PEOPLE: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  alice: {
    sub: 'sub-alice',
    email: 'alice@example.com',
    email_verified: true,
    preferred_username: 'alice',
    name: 'Alice Example',
    groups: ['/developers', '/developers/lead', 'ops'],
  },
  bob: { sub: 'sub-bob', email: 'bob@corp.example.com', email_verified: true, preferred_username: 'bob' },
  carol: { sub: 'sub-carol', email: 'Carol@Example.COM', email_verified: true, groups: ['a,b', 'größe'] },
  dave: { sub: 'sub-dave', email: 'dave@other.test', email_verified: true, groups: 'single' },
  nomail: { sub: 'sub-nomail', preferred_username: 'nomail', groups: ['/developers'] },
  unverified: { sub: 'sub-unverified', email: 'unverified@example.com', email_verified: false },
  twoats: { sub: 'sub-twoats', email: 'attacker@evil.test@example.com', email_verified: true },
  suffix: { sub: 'sub-suffix', email: 'eve@evilexample.com', email_verified: true },
  /** More than fits into one cookie. */
  many: {
    sub: 'sub-many',
    email: 'many@example.com',
    email_verified: true,
    groups: Array.from({ length: 400 }, (_, index) => `/department-${index}/${hash('sha1', `group ${index}`)}`),
  },
};
