import { twinContract } from '../../../test/support/dns-provider-contract.ts';
import { azureTwin } from '../../../test/support/dns-twins/azure.ts';
import { cloudflareTwin } from '../../../test/support/dns-twins/cloudflare.ts';
import { desecTwin } from '../../../test/support/dns-twins/desec.ts';
import { digitaloceanTwin } from '../../../test/support/dns-twins/digitalocean.ts';
import { gandiTwin } from '../../../test/support/dns-twins/gandi.ts';
import { googleTwin } from '../../../test/support/dns-twins/google.ts';
import { hetznerTwin } from '../../../test/support/dns-twins/hetzner.ts';
import { ovhTwin } from '../../../test/support/dns-twins/ovh.ts';
import { porkbunTwin } from '../../../test/support/dns-twins/porkbun.ts';
import { powerdnsTwin } from '../../../test/support/dns-twins/powerdns.ts';
import { route53Twin } from '../../../test/support/dns-twins/route53.ts';
import { acmeDnsTwin, duckdnsTwin, webhookTwin } from '../../../test/support/dns-twins/small.ts';

const TWINS = [
  cloudflareTwin,
  route53Twin,
  googleTwin,
  azureTwin,
  digitaloceanTwin,
  hetznerTwin,
  ovhTwin,
  gandiTwin,
  porkbunTwin,
  duckdnsTwin,
  desecTwin,
  powerdnsTwin,
  acmeDnsTwin,
  webhookTwin,
];

for (const make of TWINS) twinContract(make);
