/** The steps of an order in words, for terminals. */
import type { ProgressEvent } from '../certs/issuance/status.ts';

export function describeProgress(progress: ProgressEvent['progress']): string {
  switch (progress.kind) {
    case 'ordered':
      return 'ordered';
    case 'resumed':
      return 'going on with the order that was begun';
    case 'authorized':
      return `the CA believes already that "${progress.name}" leads here`;
    case 'showing':
      return `showing the answer to ${progress.challenge} for "${progress.name}"`;
    case 'validating':
      return `waiting for the CA to look at "${progress.name}" (${progress.challenge})`;
    case 'validated':
      return `the CA has seen that "${progress.name}" leads here (${progress.challenge})`;
    case 'finalizing':
      return 'asking for the certificate';
    case 'waiting':
      return `the CA wants to be asked again at ${new Date(progress.until).toISOString().slice(11, 19)} UTC`;
    case 'downloading':
      return 'downloading the certificate';
    case 'issued':
      return 'issued';
    case 'failed':
      return `failed: ${progress.message}`;
    default:
      return progress satisfies never;
  }
}
