/**
 * Brings what a fresh clone lacks, then runs one of the project's commands. Needs nothing but npm and
 * the Node it runs on (18 or later), so it stays plain JavaScript without dependencies.
 *
 *   node scripts/bootstrap.mjs install | start [ARG…] | test [ARG…] | exec SCRIPT [ARG…] | tool NAME [ARG…]
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { isInstalled, splitByNeed } from './tests-without.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const NODE_VERSION = '24.21.0';

function isNewEnough(version) {
  const [major, minor] = version.replace(/^v/, '').split('.').map(Number);
  return major > 24 || (major === 24 && minor >= 21);
}

/** The runtime comes from the npm registry, so that no second download site is needed. */
function ensureNode() {
  const name = `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`;
  const own = join(root, '.node', 'node_modules', name, 'bin', 'node');
  if (existsSync(own)) return own;
  if (isNewEnough(process.version)) return process.execPath;
  say(`This machine has Node ${process.version}; bringing Node ${NODE_VERSION} from npm (once)`);
  mkdirSync(join(root, '.node'), { recursive: true });
  npm(['install', '--no-save', '--prefix', join(root, '.node'), `${name}@${NODE_VERSION}`]);
  if (!existsSync(own))
    fail(`Cannot bring Node ${NODE_VERSION}: "${name}" has no bin/node. Install Node 24.21 or later and try again`);
  return own;
}

function ensurePackages(node) {
  if (!existsSync(join(root, 'package-lock.json'))) return;
  const stamp = join(root, 'node_modules', '.postern-lock');
  const wanted = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  say('Installing packages (once)');
  // Not "npm ci": it refuses a lock file without the tools' binaries for other platforms, which are optional.
  npm(['install', '--no-save', '--no-engine-strict']);
  writeFileSync(stamp, wanted);
  const env = { ...process.env, NODE_COMPILE_CACHE: join(root, '.cache', 'compile') };
  spawnSync(node, ['--disable-warning=ExperimentalWarning', join(root, 'scripts', 'warm-cache.mjs')], {
    cwd: root,
    stdio: 'ignore',
    env,
  });
}

function npm(args) {
  const quiet = ['--no-audit', '--no-fund', '--no-progress', '--loglevel=error'];
  const result = spawnSync('npm', [...args, ...quiet], {
    cwd: root,
    stdio: ['ignore', 2, 2],
    env: { ...process.env, NODE_ENV: '' },
  });
  if (result.status !== 0) fail(`Cannot install: "npm ${args.join(' ')}" failed. Its message is above`);
}

function say(text) {
  process.stderr.write(`postern: ${text}\n`);
}

function fail(text) {
  say(text);
  process.exit(1);
}

/** Every test; on a machine without the `openssl` program those that can run there. */
function wholeRun() {
  if (isInstalled('openssl')) return ['src/**/*.test.ts', 'test/**/*.test.ts'];
  const { able, left } = splitByNeed('openssl', root, ['src', 'test']);
  const why = `${left} test files make certificates with the "openssl" program, which is not on this machine`;
  if (process.env.CI === 'true') fail(`Cannot leave tests out in CI: ${why}`);
  say(`Skipped: ${why}. Install it to run them too`);
  return able;
}

/** Runs to the end with this terminal; Ctrl-C goes to the child, whose exit code becomes ours. */
function run(command, args, env = {}) {
  const child = spawn(command, args, { cwd: root, stdio: 'inherit', env: { ...process.env, ...env } });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
    process.on(signal, () => signal === 'SIGINT' || child.kill(signal));
  child.on('error', (error) => fail(`Cannot run "${command}": ${error.message}`));
  child.on('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 1)));
}

const [command = 'install', ...args] = process.argv.slice(2);
const node = ensureNode();
ensurePackages(node);
const path = `${dirname(node)}:${join(root, 'node_modules', '.bin')}:${process.env.PATH}`;
const runtime = { PATH: path, NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? join(root, '.cache', 'compile') };

if (command === 'start') run(join(root, 'bin', 'postern'), ['run', ...args]);
else if (command === 'test') {
  const isFolder = (name) => existsSync(join(root, name)) && statSync(join(root, name)).isDirectory();
  const named = args.map((name) => (isFolder(name) ? `${name.replace(/\/$/, '')}/**/*.test.ts` : name));
  const files = named.length > 0 ? named : wholeRun();
  // What is random is so by a seed. On CI it is always this one, so that no change is refused for another's sake;
  // whoever looks for more sets POSTERN_FUZZ.
  const isOpen = process.env.CI !== 'true' || process.env.POSTERN_FUZZ !== undefined;
  const seed = isOpen || process.env.POSTERN_FUZZ_SEED !== undefined ? {} : { POSTERN_FUZZ_SEED: '20261127' };
  run(
    node,
    [
      '--disable-warning=ExperimentalWarning',
      `--import=${pathToFileURL(join(root, 'test', 'support', 'fixed-seed.mjs')).href}`,
      '--test',
      '--test-concurrency=2',
      '--test-timeout=300000',
      ...files,
    ],
    { ...runtime, ...seed },
  );
} else if (command === 'exec') run(node, ['--disable-warning=ExperimentalWarning', ...args], runtime);
else if (command === 'tool') run(join(root, 'node_modules', '.bin', args[0]), args.slice(1), runtime);
else if (command !== 'install') fail(`Cannot run "${command}": known are install, start, test, exec, tool`);
