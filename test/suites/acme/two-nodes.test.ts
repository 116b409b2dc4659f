/**
 * Two nodes race for the same names on one database, each with a connection of its own, against a real pebble: the locks
 * and fences of the store see to it that each certificate is ordered once, whoever dies or sleeps in between.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { Issuance } from '../../../src/certs/issuance/issuance.ts';
import { isRsa, subjectOf, type AcmePolicy, type Wanted } from '../../../src/certs/issuance/wanted.ts';
import { systemClock } from '../../../src/core/clock.ts';
import { sealOf } from '../../../src/control/issuing.ts';
import { createSealKey } from '../../../src/session/seal.ts';
import { openDatabase } from '../../../src/store/database.ts';
import { createWriter } from '../../../src/store/group-commit.ts';
import { createIssuanceTables } from '../../../src/store/issuance-tables.ts';
import { skipWithout } from '../../support/peers.ts';
import { startPebble } from '../../support/pebble.ts';
import { freePorts } from '../../support/free-ports.ts';
import { until } from '../../support/programs.ts';
import type { AnswerSource } from '../../../src/certs/acme/challenge.ts';

const skip = skipWithout('pebble', 'pebble-challtestsrv');
const NAMES = Array.from({ length: 8 }, (_, at) => `n${at}.example.com`);

interface Cluster {
  readonly node: (holder: string) => Promise<Issuance>;
  readonly wanted: readonly Wanted[];
  readonly issued: () => number;
  readonly lines: string[];
}

async function clusterOf(t: TestContext): Promise<Cluster> {
  const [http = 0] = await freePorts(1);
  const tokens = new Map<string, string>();
  const web = createServer((req, res) => {
    const answer = tokens.get((req.url ?? '').split('/').at(-1) ?? '');
    res.writeHead(answer === undefined ? 404 : 200).end(answer);
  }).listen(http, '127.0.0.1');
  const pebble = await startPebble({
    httpPort: http,
    tlsPort: 1,
    env: { PEBBLE_WFE_NONCEREJECT: '20', PEBBLE_VA_NOSLEEP: '1' },
  });
  const folder = mkdtempSync(join(tmpdir(), 'postern-nodes-'));
  const nodes: Issuance[] = [];
  t.after(async () => {
    await Promise.all(nodes.map((one) => one.close()));
    web.close();
    await pebble.stop();
    rmSync(folder, { recursive: true });
  });
  const answers: AnswerSource = {
    answersBy: () => ({
      async show(task) {
        if (task.type === 'http-01') tokens.set(task.token, task.keyAuthorization);
        return async () => {};
      },
    }),
  };
  const seal = sealOf(createSealKey(randomBytes(32)));
  const lines: string[] = [];
  const log = (level: string) => (_: object, message: string) => void lines.push(`${level} ${message}`);
  const ca = {
    name: 'Pebble',
    directory: pebble.directory,
    eab: null,
    profile: null,
    preferredChain: null,
    rootsPem: pebble.rootPem,
  };
  const policy: AcmePolicy = {
    cas: [ca],
    fallbackAfter: 3,
    keyTypes: ['p256', 'rsa2048'],
    challenges: ['http-01'],
    dns: null,
    onDemand: false,
  };
  return {
    issued: pebble.issued,
    lines,
    wanted: policy.keyTypes.flatMap((keyType) =>
      NAMES.map((name) => ({ subject: subjectOf([name], isRsa(keyType)), names: [name], keyType, policy, at: [] })),
    ),
    async node(holder) {
      const db = openDatabase(folder);
      const made = new Issuance({
        store: createIssuanceTables(db, createWriter(db)),
        seal,
        answers,
        clock: systemClock,
        logger: { debug: () => {}, info: log('info'), warn: log('warn'), error: log('error') },
        holder,
        userAgent: 'test',
        onChange: () => {},
      });
      await made.load();
      nodes.push(made);
      return made;
    },
  };
}

const isServed = (node: Issuance): boolean => node.status().every((one) => one.issued !== null);

test(
  'two nodes on one database order each certificate once, and both come to serve all',
  { skip, timeout: 400_000 },
  async (t) => {
    const cluster = await clusterOf(t);
    const nodes = await Promise.all(['one', 'two'].map((holder) => cluster.node(holder)));
    for (const node of nodes) node.want('ops@example.com', cluster.wanted);
    await until(() => nodes.every(isServed), 'both nodes have every certificate', 90_000);
    assert.equal(cluster.issued(), NAMES.length * 2);
    assert.deepEqual(
      cluster.lines.filter((line) => /^(?:warn|error)/.test(line)),
      [],
    );
    const serials = nodes.map((node) => node.issued.map((one) => one.serial).toSorted());
    assert.deepEqual(serials[0], serials[1]);
  },
);

test(
  'a node that ends in the middle leaves its orders to the other, and nothing is ordered twice',
  { skip, timeout: 400_000 },
  async (t) => {
    const cluster = await clusterOf(t);
    const first = await cluster.node('one');
    first.want(null, cluster.wanted);
    await until(() => cluster.issued() >= 4, 'it is in the middle');
    await first.close();
    const second = await cluster.node('two');
    second.want(null, cluster.wanted);
    await until(() => isServed(second), 'the second node has every certificate', 90_000);
    assert.equal(cluster.issued(), NAMES.length * 2);
  },
);
