/** Knows origin certificates of Cloudflare: good for the way from Cloudflare to here, and for nobody else. */
import type { X509Certificate } from 'node:crypto';

export function isCloudflareOrigin(leaf: X509Certificate): boolean {
  return /^OU=CloudFlare Origin (?:SSL )?(?:ECC )?(?:SSL )?Certificate Authority$/im.test(leaf.issuer);
}

export const CLOUDFLARE_REMARKS: readonly string[] = [
  'This is an origin certificate of Cloudflare: only Cloudflare trusts it, so browsers that reach this machine without Cloudflare will refuse it. Keep the DNS records proxied, with SSL/TLS mode "Full (strict)"',
  'Behind Cloudflare, set "trusted_proxies: cloudflare" in the document so that rules and logs see the address of the visitor',
  'To let nobody pass Cloudflare by, turn on authenticated origin pulls there and demand its client certificate here: "tls: { client_ca: FILE, client_certificates: require }" at the host',
];
