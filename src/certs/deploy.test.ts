import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { Stopwatch } from '../../test/support/stopwatch.ts';
import { EMPTY_CERTIFICATE_SET, type CertificateSet } from './certificate-set.ts';
import { Deployer, type DeployTarget } from './deploy.ts';

function rigOf(t: TestContext): {
  dir: string;
  lines: string[];
  deployer: Deployer;
  target: (more?: Partial<DeployTarget>) => DeployTarget;
} {
  const dir = mkdtempSync(join(tmpdir(), 'postern-deploy-'));
  const lines: string[] = [];
  const log = (level: string) => (_: object, message: string) =>
    void lines.push(`${level} ${message.replaceAll(`${dir}/`, '')}`);
  const deployer = new Deployer({
    logger: { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') },
  });
  t.after(async () => {
    await deployer.close();
    rmSync(dir, { recursive: true, force: true });
  });
  const target = (more: Partial<DeployTarget> = {}): DeployTarget => ({
    name: 'a.example.com',
    certificate: join(dir, 'a.pem'),
    key: join(dir, 'a.key'),
    keyType: null,
    mode: 0o640,
    run: [],
    timeoutMs: 5_000,
    ...more,
  });
  return { dir, lines, deployer, target };
}

function setOf(text: string): CertificateSet {
  const entry = {
    id: text,
    names: ['a.example.com'],
    certificatePem: `chain ${text}\n`,
    keyPem: `key ${text}\n`,
    keyType: 'ec',
    notAfter: 0,
    source: 'acme',
  } as const;
  return { ...EMPTY_CERTIFICATE_SET, certificates: [entry], hosts: new Map([['a.example.com', [text]]]) };
}

test('deploy() writes the ECDSA certificate of two, or the one that is named, and never another kind', async (t) => {
  const { dir, deployer, target } = rigOf(t);
  const [ec] = setOf('ec').certificates;
  assert.ok(ec !== undefined);
  const rsa = { ...ec, id: 'rsa', certificatePem: 'chain rsa\n', keyPem: 'key rsa\n', keyType: 'rsa' } as const;
  const both = {
    ...EMPTY_CERTIFICATE_SET,
    certificates: [rsa, ec],
    hosts: new Map([['a.example.com', ['rsa', 'ec']]]),
  };
  const written = (): string => readFileSync(join(dir, 'a.pem'), 'utf8');
  await deployer.deploy(both, [target()]);
  assert.equal(written(), 'chain ec\n');
  await deployer.deploy(both, [target({ keyType: 'rsa' })]);
  assert.equal(written(), 'chain rsa\n');
  await deployer.deploy(setOf('ec'), [target({ keyType: 'rsa' })]);
  assert.equal(written(), 'chain rsa\n', 'what there is stays');
});

test('deploy() writes chain and key whole, of the mode that is asked for, and only what has changed', async (t) => {
  const { dir, deployer, target } = rigOf(t);
  const counter = join(dir, 'count');
  const run = ['/bin/sh', '-c', `printf "$POSTERN_NAME $POSTERN_KEY;" >> ${counter}`];
  await deployer.deploy(setOf('one'), [target({ run })]);
  assert.equal(readFileSync(join(dir, 'a.pem'), 'utf8'), 'chain one\n');
  assert.equal(readFileSync(join(dir, 'a.key'), 'utf8'), 'key one\n');
  assert.equal(statSync(join(dir, 'a.key')).mode & 0o777, 0o640);
  await deployer.deploy(setOf('one'), [target({ run })]);
  await deployer.deploy(setOf('two'), [target({ run })]);
  assert.equal(readFileSync(join(dir, 'a.pem'), 'utf8'), 'chain two\n');
  assert.equal(
    readFileSync(counter, 'utf8'),
    `a.example.com ${join(dir, 'a.key')};`.repeat(2),
    'not run where nothing changed',
  );
  chmodSync(join(dir, 'a.key'), 0o644);
  await deployer.deploy(setOf('two'), [target()]);
  assert.equal(statSync(join(dir, 'a.key')).mode & 0o777, 0o640, 'a mode that was changed is set again');
  assert.deepEqual(readdirSync(dir).toSorted(), ['a.key', 'a.pem', 'count'], 'no draft is left');
});

test('deploy() puts the key behind the chain where there is no file for it, and waits for a name without a certificate', async (t) => {
  const { dir, lines, deployer, target } = rigOf(t);
  await deployer.deploy(setOf('one'), [
    target({ key: null, mode: 0o600 }),
    target({ name: 'b.example.com', certificate: join(dir, 'b.pem') }),
  ]);
  assert.equal(readFileSync(join(dir, 'a.pem'), 'utf8'), 'chain one\nkey one\n');
  assert.equal(statSync(join(dir, 'a.pem')).mode & 0o777, 0o600);
  assert.deepEqual(lines, ['info Certificate written for another program']);
});

test('deploy() tells of a command that fails, and runs it again the next time', async (t) => {
  const { dir, lines, deployer, target } = rigOf(t);
  const flag = join(dir, 'flag');
  const run = ['/bin/sh', '-c', `echo no; test -e ${flag}`];
  await deployer.deploy(setOf('one'), [target({ run })]);
  assert.equal(
    lines.at(-1),
    'error The command "/bin/sh" after the certificate of "a.example.com" was written ended with 1; it is run again with the next change or reload',
  );
  assert.equal(readFileSync(join(dir, 'a.pem'), 'utf8'), 'chain one\n', 'the certificate is there all the same');
  writeFileSync(flag, '');
  lines.length = 0;
  await deployer.deploy(setOf('one'), [target({ run })]);
  await deployer.deploy(setOf('one'), [target({ run: ['/bin/false'] })]);
  assert.deepEqual(lines, []);
});

test('deploy() ends a command that takes too long, and says that one is not there', async (t) => {
  const { lines, deployer, target } = rigOf(t);
  const watch = new Stopwatch();
  await deployer.deploy(setOf('one'), [target({ run: ['/bin/sh', '-c', 'sleep 60 & sleep 60'], timeoutMs: 200 })]);
  assert.ok(watch.stop() < 10_000);
  assert.match(lines.at(-1) ?? '', /was ended after 0\.2 s/);
  await deployer.deploy(setOf('two'), [target({ run: ['/nothing/here'] })]);
  assert.match(lines.at(-1) ?? '', /"\/nothing\/here" after .* cannot be run: spawn .*ENOENT/);
});

test('deploy() says why a file cannot be written, and leaves what is there', async (t) => {
  const { dir, lines, deployer, target } = rigOf(t);
  await deployer.deploy(setOf('one'), [target({ key: join(dir, 'missing', 'a.key') })]);
  assert.equal(
    lines.at(-1),
    'error Cannot write the certificate of "a.example.com" to "a.pem": its folder does not exist',
  );
  mkdirSync(join(dir, 'folder.pem'));
  await deployer.deploy(setOf('one'), [target({ certificate: join(dir, 'folder.pem') })]);
  assert.match(lines.at(-1) ?? '', /^error Cannot write .* to "folder\.pem": /);
});
