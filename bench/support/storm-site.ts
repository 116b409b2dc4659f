/** A gateway with one worker alone on its core, a provider's twin and an app on the other, for the storms. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { freePorts } from '../../test/support/free-ports.ts';
import { startPostern } from '../../test/support/postern.ts';
import { startApp } from './app.ts';
import { makeCertificate } from './certificate.ts';
import { stop } from './processes.ts';
import { startTwinProcess } from './twin-control.ts';
import { BEHIND, LOAD_CORE } from './under-load.ts';
import type { TwinControl, TwinState } from './twin-control.ts';

export interface StormSiteOptions {
  readonly dir: string;
  /** Its number; several, with commas, for a gateway as it is installed: with the workers that it starts by itself. */
  readonly core: number | string;
  readonly people: number;
  readonly recheckSeconds: number;
  /** Fills the data folder before the gateway starts. */
  readonly prepare?: (dataDir: string, twin: TwinControl, state: TwinState) => Promise<void>;
}

export interface StormSite {
  readonly origin: string;
  readonly pid: number;
  readonly twin: TwinControl;
  /** TLS handshakes that the gateway has finished. */
  readonly handshakes: () => Promise<number>;
  readonly close: () => Promise<void>;
}

export async function startStormSite(options: StormSiteOptions): Promise<StormSite> {
  const { dir, core, people, recheckSeconds, prepare } = options;
  const files = makeCertificate(dir, ['localhost', 'auth.localhost']);
  const [appPort = 0] = await freePorts(1);
  const app = await startApp(join(dir, 'app'), appPort, LOAD_CORE);
  const twin = startTwinProcess(BEHIND);
  const state = await twin.tell({ kind: 'look' });
  const { issuer, clientId, clientSecret } = state;
  const keepDir = join(dir, 'postern');
  mkdirSync(keepDir);
  await prepare?.(join(keepDir, 'data'), twin, state);
  const postern = await startPostern({
    core,
    keepDir,
    env: { UV_THREADPOOL_SIZE: '2' },
    document: ({ https, health }) => `version: 1
${typeof core === 'number' ? 'workers: 1\n' : ''}listen: { http: off, https: "127.0.0.1:${https}", health: "127.0.0.1:${health}" }
log: { level: warn }
tls: { certificates: [{ certificate: ${files.certificate}, key: ${files.key} }] }
providers:
  twin: { type: oidc, issuer: "${issuer}", client_id: "${clientId}", client_secret: "${clientSecret}",
    scopes: [openid, profile, email], groups_claim: groups, recheck: ${recheckSeconds}s }
sign_in: { url: "https://auth.localhost:${https}" }
hosts:
  localhost: { to: "http://127.0.0.1:${appPort}", allow: [signed-in] }
`,
  });
  const redirectUri = `https://auth.localhost:${postern.https}/.postern/callback/twin`;
  await twin.tell({ kind: 'people', count: people, redirectUri });
  return {
    origin: `https://localhost:${postern.https}`,
    pid: postern.child.pid ?? 0,
    twin,
    async handshakes() {
      const text = await (await fetch(`http://127.0.0.1:${postern.health}/metrics`)).text();
      const lines = [...text.matchAll(/^postern_tls_handshakes_total\{[^}]*result="(?:full|resumed)"[^}]*\} (\d+)/gm)];
      return lines.reduce((sum, [, count]) => sum + Number(count), 0);
    },
    async close() {
      twin.close();
      await postern.close();
      await stop(app);
    },
  };
}
