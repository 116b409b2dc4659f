/** The document of `npm start`: one host on *.localhost with everything local, nothing to be filled in. */

export interface EmbeddedOptions {
  /** The visitor's own app; null: the built-in one that shows who you are. */
  readonly to: string | null;
  readonly https: string;
}

export const EMBEDDED_HEALTH = { host: '127.0.0.1', port: 7070 } as const;

export function embeddedDocument(options: EmbeddedOptions & { readonly hasHealth: boolean }): string {
  const port = /:(\d+)$/.exec(options.https)?.[1] ?? '8443';
  const to = JSON.stringify(options.to ?? 'app:whoami');
  const health = options.hasHealth ? `"${EMBEDDED_HEALTH.host}:${EMBEDDED_HEALTH.port}"` : 'off';
  const own = options.to === null ? '' : `\n  app.localhost: { to: ${to}, allow: [signed-in], max_body: unlimited }`;
  return `# The embedded default. To go on from here: save it as postern.yaml, edit it, and start
# bin/postern run --config postern.yaml
version: 1
listen: { http: off, https: ${JSON.stringify(options.https)}, health: ${health} }
providers: { local: { type: local } }
sign_in: { url: "https://auth.localhost:${port}" }
hosts:
  whoami.localhost: { to: ${to}, allow: [signed-in], max_body: unlimited }${own}
`;
}

export function embeddedUrls(options: EmbeddedOptions): readonly string[] {
  const port = /:(\d+)$/.exec(options.https)?.[1] ?? '8443';
  const suffix = port === '443' ? '' : `:${port}`;
  const hosts = options.to === null ? ['whoami'] : ['app', 'whoami'];
  return hosts.map((name) => `https://${name}.localhost${suffix}`);
}
