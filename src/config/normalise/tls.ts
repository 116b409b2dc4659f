/** Reads `tls:` of the document and of a host. The files themselves are read by certs, which watches them. */
import { parseHostName } from '../host-name.ts';
import { readHsts } from './hsts.ts';
import { readUnit } from './limits.ts';
import type { Path } from '../document/path.ts';
import type { CertificateFiles, ClientAuth, DeployTo, GlobalTls, HostTls } from '../document/tls.ts';
import type {
  CertificateInput,
  DeployInput,
  GlobalTlsInput,
  HostTlsInput,
  HostTlsObject,
  TlsWord,
} from '../schema/tls.ts';
import type { Context } from './context.ts';

export function readGlobalTls(input: GlobalTlsInput, context: Context): GlobalTls {
  const version = String(input.min_version ?? '1.2');
  if (version !== '1.2' && version !== '1.3') {
    context.report(
      ['tls', 'min_version'],
      'is not "1.2" or "1.3"',
      version === '1.0' || version === '1.1' ? 'older versions are not spoken' : null,
    );
  }
  const certificates: CertificateFiles[] = [];
  for (const [index, pair] of (input.certificates ?? []).entries()) {
    const files = pair === undefined ? null : readPair(pair, ['tls', 'certificates', index], context);
    if (files !== null) certificates.push(files);
  }
  return {
    minVersion: version === '1.3' ? 'TLSv1.3' : 'TLSv1.2',
    certificates,
    hsts: readHsts(input.hsts, ['tls', 'hsts'], context),
    signInHsts: null,
    deployTo: readDeployTo(input.deploy_to ?? [], context),
  };
}

const MODES: ReadonlyMap<string, number> = new Map([
  ['600', 0o600],
  ['640', 0o640],
]);
const RUN_MS = 30_000;

function readDeployTo(inputs: readonly DeployInput[], context: Context): DeployTo[] {
  const found: DeployTo[] = [];
  const written = new Set<string>();
  for (const [index, input] of inputs.entries()) {
    const one = input === undefined ? null : readDeployTarget(input, ['tls', 'deploy_to', index], context);
    if (one === null) continue;
    for (const [word, file] of [
      ['certificate', one.certificate],
      ['key', one.key],
    ] as const) {
      if (file === null) continue;
      if (written.has(file))
        context.report(['tls', 'deploy_to', index, word], 'is written by another entry too', 'name another file');
      written.add(file);
    }
    found.push(one);
  }
  return found;
}

function readDeployTarget(input: DeployInput, path: Path, context: Context): DeployTo | null {
  for (const key of ['name', 'certificate'] as const) {
    if (!input[key] && !context.isBroken([...path, key]))
      context.report(path, `has no "${key}"`, 'give the host by "name", and the file by "certificate"');
  }
  const mode = MODES.get(String(input.mode ?? '600'));
  if (mode === undefined)
    context.report([...path, 'mode'], 'is not "600" or "640"', 'private keys are for their owner, or a group, only');
  if (input.key === '') context.report([...path, 'key'], 'is empty', 'write the path of a file, or leave it out');
  const [program] = input.run ?? [];
  if (input.run !== undefined && !program)
    context.report(
      [...path, 'run'],
      'names no program',
      'write the command word by word, such as [systemctl, reload, postfix]',
    );
  if (input.run?.some((one) => one.includes('\0')) === true)
    context.report([...path, 'run'], 'holds a zero character', 'write the command word by word');
  const timeout = readUnit(input.timeout ?? '30s', { unit: 'duration', least: 1, at: [...path, 'timeout'] }, context);
  if (timeout === Number.POSITIVE_INFINITY)
    context.report([...path, 'timeout'], 'has no end', 'write a duration such as "30s"');
  const name = parseHostName(input.name ?? '');
  if (input.name && !name.ok) context.fault([...path, 'name'], name);
  if (!input.certificate || !name.ok || mode === undefined) return null;
  return {
    name: name.value,
    certificate: context.resolvePath(input.certificate),
    key: input.key ? context.resolvePath(input.key) : null,
    keyType: input.key_type ?? null,
    mode,
    run: input.run ?? [],
    timeoutMs: timeout ?? RUN_MS,
  };
}

function readPair(input: CertificateInput, path: Path, context: Context): CertificateFiles | null {
  for (const key of ['certificate', 'key'] as const) {
    if (input[key] === undefined && !context.isBroken([...path, key])) {
      context.report(path, `has no "${key}"`, 'give both "certificate" and "key"');
    }
    if (input[key] === '') context.report([...path, key], 'is empty', 'write the path of a PEM file');
  }
  if (!input.certificate || !input.key) return null;
  return { certificate: context.resolvePath(input.certificate), key: context.resolvePath(input.key), at: path };
}

export function readHostTls(
  input: HostTlsInput | undefined,
  host: Path,
  context: Context,
): { readonly tls: HostTls; readonly clientAuth: ClientAuth | null } {
  if (typeof input !== 'object') return { tls: kindOf(input), clientAuth: null };
  const path = [...host, 'tls'];
  const clientAuth = readClientAuth(input, path, context);
  const hasFiles = input.certificate !== undefined || input.key !== undefined;
  const onDemand = input.acme?.on_demand === true;
  const mode = input.acme === undefined ? kindOf(input.mode) : ({ kind: 'acme', onDemand } as const);
  if (input.acme !== undefined && input.mode !== undefined && input.mode !== 'acme') {
    context.report([...path, 'mode'], 'is given beside "acme"', 'remove one of them');
  }
  if (input.acme !== undefined && hasFiles) {
    context.report([...path, 'acme'], 'is given beside certificate files', 'remove one of them');
  }
  if (hasFiles && input.mode !== undefined) {
    context.report([...path, 'mode'], 'is given beside certificate files', 'remove "mode"');
  }
  if (mode.kind === 'off' && clientAuth !== null) {
    context.report([...path, 'client_ca'], 'needs TLS, but "mode" is "off"', 'remove one of them');
  }
  const files = hasFiles ? readPair(input, path, context) : null;
  return { tls: files === null ? mode : { kind: 'files', files }, clientAuth };
}

function kindOf(word: TlsWord | boolean | undefined): HostTls {
  if (word === undefined || word === true) return { kind: 'automatic' };
  if (word === 'acme') return { kind: word, onDemand: false };
  return { kind: word === false ? 'off' : word };
}

function readClientAuth(input: HostTlsObject, path: Path, context: Context): ClientAuth | null {
  if (input.client_ca === undefined) {
    if (input.client_certificates !== undefined && !context.isBroken([...path, 'client_ca'])) {
      context.report(
        path,
        'has "client_certificates" but no "client_ca"',
        'add "client_ca" with the CA that signs them',
      );
    }
    return null;
  }
  const at = [...path, 'client_ca'];
  const pem = context.readNamedFile(input.client_ca, at);
  if (pem !== null && !pem.includes('-----BEGIN CERTIFICATE-----')) {
    context.report(at, 'names a file that holds no PEM certificate');
  }
  return { caFile: context.resolvePath(input.client_ca), mode: input.client_certificates ?? 'request', at };
}
