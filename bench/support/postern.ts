/** Postern as a bench gateway: one worker on one core, a signed-in session, the same app as everybody. */
import { addUser, signIn, startPostern } from '../../test/support/postern.ts';
import type { PosternProcess } from '../../test/support/postern.ts';
import type { Site } from './peers.ts';

export interface PosternSite {
  readonly process: PosternProcess;
  readonly httpsPort: number;
  /** Cookie of a signed-in person for the driven host. */
  readonly cookie: string;
}

export interface PosternExtras {
  /** More hosts beside the one that is driven. */
  readonly otherHosts?: number;
  readonly hostLines?: string;
  /** A folder whose data is there already. */
  readonly keepDir?: string;
}

export async function startPosternSite(
  site: Omit<Site, 'httpsPort'>,
  extras: PosternExtras = {},
): Promise<PosternSite> {
  const others = Array.from({ length: extras.otherHosts ?? 0 }, (_, i) => {
    return `  app${i}.bench.test: { to: "http://127.0.0.1:${site.appPort}", allow: ["ip:10.0.0.0/8"], tls: off }\n`;
  }).join('');
  const postern = await startPostern({
    core: site.core,
    ...(extras.keepDir !== undefined && { keepDir: extras.keepDir }),
    env: { UV_THREADPOOL_SIZE: '2' },
    document: ({ https, health }) => `version: 1
workers: 1
listen: { http: off, https: "127.0.0.1:${https}", health: "127.0.0.1:${health}" }
log: { level: warn }
providers: { local: { type: local } }
sign_in: { url: "https://auth.localhost:${https}" }
limits: { connections_per_address: 30000, connections: 60000 }
hosts:
  localhost:
    tls: { certificate: ${site.certificate}, key: ${site.key} }
    to: "http://127.0.0.1:${site.appPort}"
    allow: [signed-in]
    max_body: unlimited
${extras.hostLines ?? ''}
${others}`,
  });
  const password = await addUser(postern, 'bench');
  const url = `https://localhost:${postern.https}/`;
  const visitor = await signIn(url, 'bench', password);
  return { process: postern, httpsPort: postern.https, cookie: visitor.cookieHeader(url) };
}
