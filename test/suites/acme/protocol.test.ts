/** The protocol client against real pebble, with its faults on: 15 % of good nonces refused, no reuse of authorisations. */
import assert from 'node:assert/strict';
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import { after, before, test } from 'node:test';
import {
  changeAccountKey,
  createAccount,
  deactivateAccount,
  findAccount,
  updateContacts,
} from '../../../src/certs/acme/account.ts';
import { readRenewalWindow, renewalIdOf, revokeCertificate } from '../../../src/certs/acme/chain.ts';
import { AcmeClient } from '../../../src/certs/acme/client.ts';
import { AcmeFailure } from '../../../src/certs/acme/failure.ts';
import { createHttps } from '../../../src/certs/acme/https.ts';
import { accountKeyOf, newAccountKeyPem, type Signer } from '../../../src/certs/acme/jws.ts';
import { runOrder, type OrderDeps, type OrderProgress } from '../../../src/certs/acme/order.ts';
import { writeSigningRequest } from '../../../src/certs/x509-writer.ts';
import { systemClock } from '../../../src/core/clock.ts';
import { skipWithout } from '../../support/peers.ts';
import { freePorts } from '../../support/free-ports.ts';
import { assertReplacements, startPebble, type Pebble } from '../../support/pebble.ts';
import type { ChallengeAnswers } from '../../../src/certs/acme/challenge.ts';
import type { ChallengeType } from '../../../src/certs/acme/challenge-type.ts';

const skip = skipWithout('pebble', 'pebble-challtestsrv');
const signal = AbortSignal.timeout(120_000);
const tokens = new Map<string, string>();
let pebble: Pebble;
let web: Server;

const answers: ChallengeAnswers = {
  async show(task) {
    if (task.type === 'http-01') tokens.set(task.token, task.keyAuthorization);
    else if (task.type === 'dns-01' || task.type === 'dns-account-01')
      await pebble.dns('set-txt', { host: `${task.record}.`, value: task.value });
    return async () => {
      if (task.type === 'http-01') tokens.delete(task.token);
    };
  },
};

before(async () => {
  if (skip !== false) return;
  const [httpPort = 0, tlsPort = 0] = await freePorts(2);
  web = createServer((req, res) => {
    const answer = tokens.get((req.url ?? '').split('/').at(-1) ?? '');
    res.writeHead(answer === undefined ? 404 : 200).end(answer);
  }).listen(httpPort, '127.0.0.1');
  pebble = await startPebble({
    httpPort,
    tlsPort,
    blocked: ['blocked.example'],
    env: {
      PEBBLE_WFE_NONCEREJECT: '15',
      PEBBLE_VA_NOSLEEP: '1',
      PEBBLE_ALTERNATE_ROOTS: '1',
      PEBBLE_CHAIN_LENGTH: '2',
    },
  });
});
after(async () => {
  if (skip !== false) return;
  web.close();
  await pebble.stop();
});

function clientOf(roots: string | null = pebble.rootPem, directoryUrl = pebble.directory): AcmeClient {
  return new AcmeClient({
    directoryUrl,
    name: 'Pebble',
    https: createHttps({ roots, userAgent: 'postern-test' }),
    clock: systemClock,
    sleep: (ms, signal) => wait(ms, undefined, { signal }),
  });
}

async function signerOf(client: AcmeClient): Promise<Signer> {
  const key = await accountKeyOf(newAccountKeyPem());
  return { key, kid: await createAccount(client, { key, email: 'ops@example.com', eab: null }, signal) };
}

interface OrderOptions {
  readonly challenges?: readonly ChallengeType[];
  readonly profile?: string;
  readonly replaces?: string;
  readonly preferredChain?: string;
  readonly kind?: 'ec' | 'rsa';
  readonly deps?: Partial<OrderDeps>;
}

async function order(client: AcmeClient, signer: Signer, names: string[], options: OrderOptions = {}): Promise<string> {
  const keys =
    options.kind === 'rsa'
      ? generateKeyPairSync('rsa', { modulusLength: 2048 })
      : generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const request = {
    names,
    challenges: options.challenges ?? (['http-01'] as const),
    profile: options.profile ?? null,
    replaces: options.replaces ?? null,
    preferredChain: options.preferredChain ?? null,
    csr: writeSigningRequest({ names, ...keys }),
  };
  const pem = await runOrder(
    request,
    { client, signer, answers, begun: null, saveUrl: async () => {}, report: () => {}, ...options.deps },
    signal,
  );
  assert.ok(new X509Certificate(pem).checkPrivateKey(keys.privateKey));
  return pem;
}

async function failureOf(work: Promise<unknown>): Promise<AcmeFailure> {
  return work.then(
    () => assert.fail('It should have failed'),
    (error: unknown) => {
      assert.ok(error instanceof AcmeFailure, String(error));
      return error;
    },
  );
}

test('runOrder() gets a certificate by http-01 and tells every step', { skip }, async () => {
  const client = clientOf();
  const told: OrderProgress[] = [];
  const saved: (string | null)[] = [];
  const deps = {
    report: (one: OrderProgress) => void told.push(one),
    saveUrl: async (url: string | null) => void saved.push(url),
  };
  const pem = await order(client, await signerOf(client), ['a.example.com', 'b.example.com'], { deps });
  assert.equal(new X509Certificate(pem).subjectAltName, 'DNS:a.example.com, DNS:b.example.com');
  const kinds = told.map((one) => one.kind);
  assert.deepEqual(
    new Set(kinds),
    new Set(['ordered', 'showing', 'validating', 'validated', 'finalizing', 'downloading']),
  );
  assert.match(saved[0] ?? '', /^https:/);
  assert.equal(tokens.size, 0, 'no answer is left over');
});

test('runOrder() takes up an order that was begun, without another certificate', { skip }, async () => {
  const client = clientOf();
  const signer = await signerOf(client);
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const names = ['resumed.example.com'];
  const request = { names, challenges: ['http-01'] as const, profile: null, replaces: null, preferredChain: null };
  const csr = writeSigningRequest({ names, ...keys });
  let url: string | null = null;
  const deps = { client, signer, answers, saveUrl: async (one: string | null) => void (url = one) };
  await runOrder({ ...request, csr }, { ...deps, begun: null, report: () => {} }, signal);
  const issued = pebble.issued();
  const told: string[] = [];
  const again = await runOrder(
    { ...request, csr },
    { ...deps, begun: url, report: (one) => void told.push(one.kind) },
    signal,
  );
  assert.ok(new X509Certificate(again).checkPrivateKey(keys.privateKey));
  assert.deepEqual(told, ['resumed', 'downloading']);
  assert.equal(pebble.issued(), issued);
});

test('runOrder() orders a hundred names, wildcards by dns-01, addresses, RSA keys and profiles', { skip }, async () => {
  const client = clientOf();
  const signer = await signerOf(client);
  const names = Array.from({ length: 100 }, (_, at) => `n${at}.many.example.com`);
  assert.equal(new X509Certificate(await order(client, signer, names)).subjectAltName?.split(', ').length, 100);
  const wild = await order(client, signer, ['*.example.com'], { challenges: ['http-01', 'dns-01'] });
  assert.equal(new X509Certificate(wild).subjectAltName, 'DNS:*.example.com');
  const address = await order(client, signer, ['127.0.0.1'], { profile: 'shortlived' });
  assert.equal(new X509Certificate(address).subjectAltName, 'IP Address:127.0.0.1');
  assert.ok(new X509Certificate(address).validToDate.getTime() - Date.now() < 7 * 86_400_000);
  const rsa = await order(client, signer, ['rsa.example.com'], { kind: 'rsa' });
  assert.equal(new X509Certificate(rsa).publicKey.asymmetricKeyType, 'rsa');
});

test(
  'runOrder() says why it cannot: blocked, wildcard without DNS, no such profile, wrong answer, CAA',
  { skip },
  async () => {
    const client = clientOf();
    const signer = await signerOf(client);
    const blocked = await failureOf(order(client, signer, ['x.blocked.example']));
    assert.match(
      blocked.message,
      /order a certificate for "x\.blocked\.example" at Pebble: the CA says rejectedIdentifier "/,
    );
    const wildcard = await failureOf(order(client, signer, ['*.example.com']));
    assert.match(wildcard.message, /prove to Pebble that "\*\.example\.com" leads here: .*a wildcard needs dns-01/);
    const profile = await failureOf(order(client, signer, ['a.example.com'], { profile: 'nice' }));
    assert.match(profile.message, /Pebble has no profile "nice" \(it offers "default", "shortlived"\)/);
    const silent: ChallengeAnswers = { show: async () => async () => {} };
    const saved: (string | null)[] = [];
    const deps = { answers: silent, saveUrl: async (url: string | null) => void saved.push(url) };
    const wrong = await failureOf(order(client, signer, ['silent.example.com'], { deps }));
    assert.equal(wrong.kind, 'challenge');
    assert.match(wrong.message, /"silent\.example\.com" leads here by http-01: the CA says unauthorized ".*404/);
    assert.equal(saved.at(-1), null, 'a lost order is not taken up again');
    await pebble.dns('add-caa', { host: 'caa.example.com.', policies: [{ tag: 'issue', value: 'other-ca.example' }] });
    const caa = await order(client, signer, ['caa.example.com']).catch((error: unknown) => error);
    // Pebble looks at CAA for some accounts only; where it does, its refusal must be understood.
    if (caa instanceof AcmeFailure) assert.match(caa.message, /caa/i);
  },
);

test(
  'runOrder() proves names by dns-account-01, and by dns-persist-01 with the record that it tells of',
  { skip },
  async () => {
    const client = clientOf();
    const signer = await signerOf(client);
    await order(client, signer, ['*.account.example.com'], { challenges: ['dns-account-01'] });
    const challenges = ['dns-persist-01'] as const;
    const without = await failureOf(order(client, signer, ['*.persist.example.com'], { challenges }));
    assert.equal(without.kind, 'challenge');
    const told = /set this TXT record once, it stays: (\S+) "([^"]+)"/.exec(without.message);
    assert.equal(told?.[1], '_validation-persist.persist.example.com');
    await pebble.dns('set-txt', { host: `${told[1]}.`, value: told[2] });
    await order(client, signer, ['*.persist.example.com'], { challenges });
  },
);

test('downloadChain() takes the preferred chain among alternates', { skip }, async () => {
  const client = clientOf();
  const signer = await signerOf(client);
  const other = new X509Certificate(await pebble.management('roots/1')).subject.replace(/^CN=/, '');
  const pem = await order(client, signer, ['alternate.example.com'], { preferredChain: other });
  assert.ok(pem.match(/BEGIN CERTIFICATE/g)?.length === 3 || pem.match(/BEGIN CERTIFICATE/g)?.length === 2);
  const last = pem.slice(pem.lastIndexOf('-----BEGIN'));
  assert.equal(new X509Certificate(last).issuer, `CN=${other}`);
});

test('accounts are found again, told of contacts, moved to a new key and deactivated', { skip }, async () => {
  const client = clientOf();
  const old = await signerOf(client);
  assert.equal(await findAccount(client, old.key, signal), old.kid);
  assert.equal(await createAccount(client, { key: old.key, email: null, eab: null }, signal), old.kid);
  await updateContacts(client, old, 'new@example.com', signal);
  const key = await accountKeyOf(newAccountKeyPem());
  await changeAccountKey(client, old, key, signal);
  const moved = { key, kid: old.kid };
  assert.equal(await findAccount(client, key, signal), old.kid);
  assert.equal((await failureOf(findAccount(client, old.key, signal))).problem?.type, 'accountDoesNotExist');
  await order(client, moved, ['moved.example.com']);
  await deactivateAccount(client, moved, signal);
  assert.equal((await failureOf(order(client, moved, ['dead.example.com']))).problem?.type, 'unauthorized');
});

test('renewal information is asked for, an order replaces a certificate, and it is revoked', { skip }, async () => {
  const client = clientOf();
  const signer = await signerOf(client);
  const first = await order(client, signer, ['renew.example.com']);
  const window = await readRenewalWindow(client, first, signal);
  assert.ok(window !== null && window.start > Date.now() && window.end > window.start);
  assert.ok(window.askAgainAt !== null && window.askAgainAt > Date.now());
  const replaces = renewalIdOf(new X509Certificate(first)) ?? '';
  await order(client, signer, ['renew.example.com'], { replaces });
  assertReplacements(pebble, 1);
  // The place is taken: the CA is asked without `replaces`.
  await order(client, signer, ['renew.example.com'], { replaces });
  await revokeCertificate(client, { certificatePem: first, reason: 'superseded', signer }, signal);
  await revokeCertificate(client, { certificatePem: first, reason: 'superseded', signer }, signal);
  const { serialNumber } = new X509Certificate(first);
  assert.match(
    await pebble.management(`cert-status-by-serial/${serialNumber.toLowerCase().replace(/^0+/, '')}`),
    /Revoked/,
  );
});

test('createAccount() binds to an account that the operator has with the CA', { skip }, async () => {
  const hmacKey = 'zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W';
  const bound = await startPebble({ httpPort: 1, tlsPort: 1, eab: { 'kid-1': hmacKey } });
  try {
    const client = clientOf(bound.rootPem, bound.directory);
    const key = await accountKeyOf(newAccountKeyPem());
    const without = await failureOf(createAccount(client, { key, email: null, eab: null }, signal));
    assert.match(without.message, /externalAccountRequired .*give acme\.eab/);
    const wrong = { keyId: 'kid-1', hmacKey: Buffer.from('another key of some length').toString('base64url') };
    assert.equal((await failureOf(createAccount(client, { key, email: null, eab: wrong }, signal))).kind, 'refused');
    assert.match(
      await createAccount(client, { key, email: null, eab: { keyId: 'kid-1', hmacKey } }, signal),
      /^https:/,
    );
  } finally {
    await bound.stop();
  }
});

test('AcmeClient does not trust a CA whose root nobody gave', { skip }, async () => {
  const failure = await failureOf(clientOf(null).directory(signal));
  assert.match(failure.message, /no trusted root; give that root under acme\.roots|self-signed/);
});
