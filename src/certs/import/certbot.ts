/**
 * Reads certbot's folder, such as /etc/letsencrypt: live/NAME with its links into archive/NAME, renewal/NAME.conf for
 * the CA, accounts/ for the keys. Paths in the .conf files are not followed: the folder may be a copy.
 */
import { createPrivateKey, type JsonWebKey } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { Gathering, UnusableEntry, type Found } from './found.ts';

export function isCertbotFolder(path: string): boolean {
  return existsSync(join(path, 'renewal')) && (existsSync(join(path, 'live')) || existsSync(join(path, 'archive')));
}

export function readCertbot(folder: string): Found {
  const found = new Gathering();
  const accounts = new Map<string, string>();
  for (const name of lineagesOf(folder)) {
    found.try(`live/${name}`, () => {
      const { server, account } = settingsOf(folder, name);
      found.certificates.push({ place: `live/${name}`, directory: server, ...filesOf(folder, name) });
      if (account !== null) accounts.set(account, server);
    });
  }
  for (const [id, directory] of accounts) {
    found.try(`account ${id}`, () => void found.accounts.push(accountOf(folder, id, directory)));
  }
  return found;
}

/** Of renewal/, and those that have lost their .conf. */
function lineagesOf(folder: string): string[] {
  const configured = namesIn(join(folder, 'renewal')).filter((name) => name.endsWith('.conf'));
  const live = namesIn(join(folder, 'live')).filter((name) => name !== 'README');
  return [...new Set([...configured.map((name) => basename(name, '.conf')), ...live])].toSorted();
}

function namesIn(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder) : [];
}

function settingsOf(folder: string, name: string): { server: string; account: string | null } {
  const path = join(folder, 'renewal', `${name}.conf`);
  if (!existsSync(path)) throw new UnusableEntry(`renewal/${name}.conf is missing, which says what CA it is of`);
  const text = readFileSync(path, 'utf8');
  const value = (key: string): string | null =>
    new RegExp(`^\\s*${key}\\s*=\\s*(\\S+)\\s*$`, 'm').exec(text)?.[1] ?? null;
  const server = value('server');
  if (server === null || !URL.canParse(server)) throw new UnusableEntry(`renewal/${name}.conf names no CA ("server")`);
  const account = value('account');
  return { server, account: account !== null && /^[0-9a-f]{8,64}$/.test(account) ? account : null };
}

/** live/NAME; where its links lead nowhere, the newest of archive/NAME. */
function filesOf(folder: string, name: string): { chain: string; keyPem: string } {
  const live = join(folder, 'live', name);
  if (existsSync(join(live, 'fullchain.pem')) && existsSync(join(live, 'privkey.pem'))) {
    const chain = readFileSync(join(live, 'fullchain.pem'), 'utf8');
    return { chain, keyPem: readFileSync(join(live, 'privkey.pem'), 'utf8') };
  }
  const archive = join(folder, 'archive', name);
  const numbers = namesIn(archive).flatMap((file) => /^fullchain(\d+)\.pem$/.exec(file)?.[1] ?? []);
  const newest = numbers.map(Number).toSorted((a, b) => b - a)[0];
  if (newest === undefined) throw new UnusableEntry(`neither live/${name} nor archive/${name} has its files`);
  const chain = readFileSync(join(archive, `fullchain${newest}.pem`), 'utf8');
  return { chain, keyPem: readFileSync(join(archive, `privkey${newest}.pem`), 'utf8') };
}

/** accounts/HOST/PATH/ID, as the directory's URL goes. */
function accountOf(folder: string, id: string, directory: string): Found['accounts'][number] {
  const { host, pathname } = new URL(directory);
  const place = join(
    folder,
    'accounts',
    host,
    ...pathname.split('/').filter((part) => part !== '' && part !== '..'),
    id,
  );
  const key = JSON.parse(readFileSync(join(place, 'private_key.json'), 'utf8')) as JsonWebKey;
  const registration = existsSync(join(place, 'regr.json'))
    ? (JSON.parse(readFileSync(join(place, 'regr.json'), 'utf8')) as { uri?: unknown } | null)
    : null;
  const keyPem = createPrivateKey({ key, format: 'jwk' }).export({ type: 'pkcs8', format: 'pem' }).toString();
  return {
    place: `account ${id}`,
    directory,
    url: typeof registration?.uri === 'string' ? registration.uri : null,
    keyPem,
  };
}
