/**
 * `postern install`: a systemd unit that gives Postern what it needs and nothing else, and an env file
 * for secrets. Overwrites nothing that an operator wrote: an env file that is there stays, and a unit
 * that was changed is replaced only by --force.
 */
import { chmodSync, existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { PosternError } from '../core/errors.ts';
import { fileTrouble } from '../core/file-trouble.ts';
import { makeFolder } from '../core/make-folder.ts';
import { writeWhole } from '../core/write-whole.ts';
import { print, printError } from './terminal.ts';

export interface InstallOptions {
  readonly config: string;
  readonly root: string;
  readonly user: string;
  readonly print?: true;
  readonly force?: true;
}

/** Above src/ in development, above dist/src/ in the package. */
const PROGRAM = resolve(
  import.meta.dirname,
  import.meta.filename.endsWith('.ts') ? '../..' : '../../..',
  'bin/postern',
);
const UNIT = 'etc/systemd/system/postern.service';
const ENV_FILE = 'etc/postern/postern.env';
const FOLDER_MODE = 0o755;

/** The unit: own user, only the right to bind low ports, a read-only system. */
export function systemdUnit(options: { config: string; user: string; program: string }): string {
  return `[Unit]
Description=Postern, the front door for self-hosted apps
Documentation=file://${dirname(dirname(options.program))}/README.md
After=network-online.target
Wants=network-online.target

[Service]
Type=exec
User=${options.user}
Group=${options.user}
ExecStart=${options.program} run --config ${options.config} --env-file /${ENV_FILE} --data /var/lib/postern
ExecReload=${options.program} reload --data /var/lib/postern
Restart=on-failure
RestartSec=1
TimeoutStopSec=45
KillSignal=SIGTERM
LimitNOFILE=1048576
StateDirectory=postern
StateDirectoryMode=0700
UMask=0077

AmbientCapabilities=CAP_NET_BIND_SERVICE
CapabilityBoundingSet=CAP_NET_BIND_SERVICE
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=read-only
PrivateTmp=yes
PrivateDevices=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
ProtectProc=invisible
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
`;
}

const ENV_TEXT = `# Values for \${NAME} in the document. Read at start and again at each reload; lines are NAME=value.
`;

export function install(options: InstallOptions): void {
  const config = resolve(options.config);
  if (/[\s"'\\$%]/.test(config + PROGRAM)) {
    throw new PosternError(
      'OPERATION_REFUSED',
      `Cannot install: the path "${config}" or "${PROGRAM}" holds a character that systemd would read otherwise`,
    );
  }
  if (!/^[a-z_][a-z0-9_-]{0,31}$/.test(options.user))
    throw new PosternError('OPERATION_REFUSED', `Cannot install: "${options.user}" is not a user name`);
  const unit = systemdUnit({ config, user: options.user, program: PROGRAM });
  if (options.print === true) {
    print(unit);
    return;
  }
  const root = resolve(options.root);
  const unitFile = join(root, UNIT);
  const envFile = join(root, ENV_FILE);
  if (options.force !== true) toFile(unitFile, () => keepChanges(unitFile, unit));
  toFile(unitFile, () => makeFolder(dirname(unitFile), FOLDER_MODE));
  toFile(envFile, () => {
    makeFolder(dirname(envFile), FOLDER_MODE);
    if (!existsSync(envFile)) writeWhole(envFile, ENV_TEXT, { mode: 0o600 });
    chmodSync(envFile, 0o600);
  });
  toFile(unitFile, () => writeWhole(unitFile, unit, { mode: 0o644 }));
  print(`Wrote ${unitFile}\nWrote ${envFile} (mode 600)`);
  // Both may come later, so neither stands in the way.
  if (!existsSync(config)) printError(`warning: "${config}" is not there yet; write it before Postern starts`);
  for (const path of new Set([config, PROGRAM].map(closedTo).filter((one) => one !== null))) {
    printError(
      `warning: "${path}" is closed to other users, so "${options.user}" cannot reach what it holds: move it, e.g. to /etc/postern and /opt/postern, or open it`,
    );
  }
  print(`Next:
  useradd --system --home /var/lib/postern --shell /usr/sbin/nologin ${options.user}
  chown ${options.user} ${envFile}
  ${PROGRAM} check --config ${config} --env-file ${envFile}
  systemctl daemon-reload && systemctl enable --now postern
  journalctl -u postern -f`);
}

function keepChanges(unitFile: string, unit: string): void {
  if (!existsSync(unitFile) || readFileSync(unitFile, 'utf8') === unit) return;
  const remedy = 'keep changes of your own by "systemctl edit postern", then add --force to write the unit anew';
  throw new PosternError('OPERATION_REFUSED', `Cannot install: "${unitFile}" is there and differs; ${remedy}`);
}

/** One line for whatever the file system has against it. */
function toFile(path: string, work: () => void): void {
  try {
    work();
  } catch (error) {
    if (error instanceof PosternError) throw error;
    const why = fileTrouble(error, {
      place: 'name another folder with --root',
      rights: 'run it as root, or with --root DIR',
    });
    throw new PosternError('OPERATION_REFUSED', `Cannot install: cannot write "${path}": ${why}`, {}, error);
  }
}

/** The first folder or file on the way that only its owner may pass, e.g. a home; null where everybody may. */
function closedTo(path: string): string | null {
  const parts = path.split('/').filter((part) => part !== '');
  for (let length = 1; length <= parts.length; length++) {
    const here = `/${parts.slice(0, length).join('/')}`;
    const needed = length === parts.length ? 0o004 : 0o001;
    const found = statSync(here, { throwIfNoEntry: false });
    if (found === undefined) return null;
    if ((found.mode & needed) === 0) return here;
  }
  return null;
}
