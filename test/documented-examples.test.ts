import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { globSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { loadDocument } from '../src/config/load.ts';
import { compileTable } from '../src/route/compile.ts';

const ROOT = resolve(import.meta.dirname, '..');
const ENV = {
  TSIG_SECRET: 'YS1zZWNyZXQtb2YtYS1uYW1lLXNlcnZlcg==',
  AWS_REQ_IP: '203.0.113.7',
  CLOUDFLARE_TOKEN: 'a-token-of-cloudflare',
  ZEROSSL_KEY_ID: 'a-key-id',
  ZEROSSL_HMAC_KEY: 'YS1rZXktb2YtemVyb3NzbA',
  KEYCLOAK_SECRET: 'a-secret-of-keycloak',
  GITHUB_SECRET: 'a-secret-of-github',
};

/** The YAML blocks of a page, without the indent of a list around them. */
function examplesOf(text: string): string[] {
  return [...text.matchAll(/^( *)```yaml\n([\s\S]*?)^\1```$/gm)].map(([, indent = '', block = '']) => {
    return block.replaceAll(new RegExp(`^${indent}`, 'gm'), '');
  });
}

/** Configurations of other programs: their own tests run those that can be run here. */
const OF_OTHERS =
  /^(?:apiVersion|static_resources|entryPoints|http|app|auth|containers): ?|^services:\n {2}postern:\n|^# Istio|^# A pod/m;

/** What parts of documents lean on. */
const AROUND = {
  version: 'version: 1',
  providers: 'providers: { local: { type: local } }',
  sign_in: 'sign_in: { url: https://auth.example.com }',
  services: 'services: { promtail: { password: "$2a$05$WnISqYUMNkFN6z8o2QglZOaCDtbsdunXCFe/8yDlm85RmjNkM8cvC" } }',
  hosts: `hosts:
  grafana.example.com:
    paths:
      /lokitest/*: { to: "http://127.0.0.1:3199", strip_prefix: /lokitest, allow: ["service:promtail"] }
      /*: { to: "http://127.0.0.1:3000", allow: ["group:/developers"] }`,
};

/** A part as a whole document: keys of a document, of a host, or one indented as it stands in a host. */
function completed(part: string): string {
  const keys = new Set([...part.matchAll(/^(\w+):/gm)].map(([, key = '']) => key));
  const isOfHost = keys.size === 0 || [...keys].every((key) => key === 'allow' || key === 'paths');
  if (!isOfHost) {
    const around = Object.entries(AROUND).filter(([key]) => !keys.has(key));
    return `${around.map(([, text]) => text).join('\n')}\n${part}`;
  }
  const to = keys.has('paths') ? '' : '    to: "http://127.0.0.1:3000"\n';
  const rules = /^\s*(?:allow|paths):/m.test(part) ? '' : '    allow: [public]\n';
  const body = keys.size === 0 ? part : part.replaceAll(/^(?=.)/gm, '    ');
  const { hosts: _, ...around } = AROUND;
  return `${Object.values(around).join('\n')}\nhosts:\n  app.example.com:\n${to}${rules}${body}`;
}

function isWhole(text: string): boolean {
  return /^(?:#.*\n)*version: 1/.test(text);
}

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 });
const GOOGLE_KEY = JSON.stringify({
  project_id: 'p',
  client_email: 'a@example.com',
  private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
});

/** Files that an example names are where its reader has them. */
function readFile(path: string): string {
  if (path.endsWith('.pem')) return '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n';
  if (path === '/run/secrets/dns.json') return GOOGLE_KEY;
  return readFileSync(path, 'utf8');
}

/** Any variable that a part needs is set. */
function env(text: string): Record<string, string> {
  const named = [...text.matchAll(/\$\{([A-Z][A-Z0-9_]*)[}:]/g)].map(
    ([, name = '']) => [name, 'a-secret-for-it'] as const,
  );
  return { ...Object.fromEntries(named), ...ENV };
}

for (const page of ['README.md', ...globSync('docs/**/*.md', { cwd: ROOT }).sort()]) {
  const examples = examplesOf(readFileSync(resolve(ROOT, page), 'utf8')).filter((text) => !OF_OTHERS.test(text));
  examples.forEach((example, index) => {
    test(`${page}: example ${index + 1} is ${isWhole(example) ? 'a good document' : 'good in a document'}`, () => {
      const text = isWhole(example) ? example : completed(example);
      const { document, diagnostics } = loadDocument({ text, file: page, env: env(text), readFile });
      assert.deepEqual(
        diagnostics.filter(({ severity }) => severity === 'error').map(({ message }) => message),
        [],
        text,
      );
      assert.ok(document !== null);
      const errors = compileTable(document).diagnostics.filter(({ severity }) => severity === 'error');
      assert.deepEqual(errors, []);
    });
  });
}
