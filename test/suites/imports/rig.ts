/** Real certbot, Caddy and Traefik that order from a real pebble, each into a folder of its own. */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findPeer } from '../../support/peers.ts';
import { startProgram, until } from '../../support/programs.ts';
import type { Pebble } from '../../support/pebble.ts';

/** `certbot certonly --standalone` for each list of names. Answers its folder, as /etc/letsencrypt is one. */
export async function runCertbot(pebble: Pebble, http: number, lists: readonly (readonly string[])[]): Promise<string> {
  const root = mkdtempSync(join(tmpdir(), 'postern-certbot-'));
  const folders = [
    '--config-dir',
    join(root, 'etc'),
    '--work-dir',
    join(root, 'work'),
    '--logs-dir',
    join(root, 'log'),
  ];
  const how = ['certonly', '--standalone', '--non-interactive', '--agree-tos', '--email', 'ops@example.com'];
  const where = ['--server', pebble.directory, '--http-01-port', String(http), '--http-01-address', '127.0.0.1'];
  for (const names of lists) {
    const domains = names.flatMap((name) => ['-d', name]);
    await new Promise<void>((resolve, reject) => {
      const env = { ...process.env, REQUESTS_CA_BUNDLE: pebble.rootFile };
      execFile(
        findPeer('certbot') ?? 'certbot',
        [...how, ...where, ...folders, ...domains],
        { env },
        (error, out, err) => {
          if (error === null) resolve();
          else reject(new Error(`Cannot run certbot: ${out}${err}`));
        },
      );
    });
  }
  return join(root, 'etc');
}

/** Caddy with the hosts, until it has a certificate for each. Answers its data folder. */
export async function runCaddy(
  pebble: Pebble,
  ports: { http: number; https: number },
  names: readonly string[],
): Promise<string> {
  const root = mkdtempSync(join(tmpdir(), 'postern-caddy-'));
  const options = `acme_ca ${pebble.directory}\n acme_ca_root ${pebble.rootFile}\n email ops@example.com\n admin off`;
  const sites = [...names, 'private.localhost'].map((name) => `${name} {\n respond hello\n}\n`).join('');
  const file = join(root, 'Caddyfile');
  writeFileSync(
    file,
    `{\n ${options}\n skip_install_trust\n http_port ${ports.http}\n https_port ${ports.https}\n}\n${sites}`,
  );
  const env = { XDG_DATA_HOME: join(root, 'data'), XDG_CONFIG_HOME: join(root, 'config'), HOME: root };
  const caddy = startProgram('caddy', ['run', '--config', file, '--adapter', 'caddyfile'], env);
  const folder = join(root, 'data', 'caddy');
  try {
    await until(
      () =>
        names.every((name) => filesBelow(join(folder, 'certificates')).some((one) => one.endsWith(`/${name}.json`))),
      'Caddy has its certificates',
      90_000,
    );
  } catch (error) {
    console.error(caddy.output());
    throw error;
  } finally {
    await caddy.stop();
  }
  return folder;
}

/** Traefik with a resolver at pebble. Answers its acme.json. */
export async function runTraefik(
  pebble: Pebble,
  ports: { http: number; https: number },
  names: readonly string[],
): Promise<string> {
  const root = mkdtempSync(join(tmpdir(), 'postern-traefik-'));
  mkdirSync(join(root, 'dynamic'));
  const routers = names
    .map(
      (name, at) =>
        `    r${at}: { rule: "Host(\`${name}\`)", entryPoints: [https], service: noop, tls: { certResolver: ca } }`,
    )
    .join('\n');
  writeFileSync(
    join(root, 'dynamic', 'routes.yml'),
    `http:\n  routers:\n${routers}\n  services:\n    noop: { loadBalancer: { servers: [{ url: "http://127.0.0.1:9" }] } }\n`,
  );
  writeFileSync(
    join(root, 'traefik.yml'),
    `global: { checkNewVersion: false, sendAnonymousUsage: false }
entryPoints: { http: { address: "127.0.0.1:${ports.http}" }, https: { address: "127.0.0.1:${ports.https}" } }
providers: { file: { directory: ${join(root, 'dynamic')} } }
certificatesResolvers: { ca: { acme: { email: ops@example.com, storage: ${join(root, 'acme.json')}, caServer: "${pebble.directory}", httpChallenge: { entryPoint: http } } } }
`,
  );
  const env = { LEGO_CA_CERTIFICATES: pebble.rootFile };
  const traefik = startProgram('traefik', [`--configFile=${join(root, 'traefik.yml')}`], env);
  const file = join(root, 'acme.json');
  const stored = (): number => (existsSync(file) ? readFileSync(file, 'utf8').split('"certificate":').length - 1 : 0);
  try {
    await until(() => stored() >= names.length, 'Traefik has its certificates', 90_000);
  } catch (error) {
    console.error(traefik.output());
    throw error;
  } finally {
    await traefik.stop();
  }
  return file;
}

export function filesBelow(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name));
}

/** Changes with any content, mode or time of change below the folder. */
export function stateOf(path: string): string {
  const files = statSync(path).isDirectory() ? filesBelow(path).toSorted() : [path];
  const hash = createHash('sha256');
  for (const file of files) {
    const { mode, mtimeMs, size } = statSync(file);
    hash.update(`${file} ${mode} ${mtimeMs} ${size}\n`);
  }
  return hash.digest('hex');
}
