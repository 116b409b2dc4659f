/**
 * Load by connections that show a client certificate, which wrk cannot: keep-alive, one request after the other on each,
 * in a process of its own on the load's core. What it costs itself does not count: the gateway's CPU a request does.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { readFileSync } from 'node:fs';
import { connect } from 'node:tls';
import type { LoadResult } from './load.ts';

const exec = promisify(execFile);

export interface TlsLoad {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly connections: number;
  readonly seconds: number;
  readonly core: number;
  /** Of the client; null: none is shown. */
  readonly client: { readonly certificate: string; readonly key: string } | null;
}

export async function loadByNode(load: TlsLoad): Promise<Pick<LoadResult, 'requests' | 'failed'>> {
  const args = ['-c', String(load.core), process.execPath, import.meta.filename, JSON.stringify(load)];
  const { stdout } = await exec('taskset', args);
  return JSON.parse(stdout) as Pick<LoadResult, 'requests' | 'failed'>;
}

async function run({ url, headers, connections, seconds, client }: TlsLoad): Promise<void> {
  const { hostname, port, host, pathname } = new URL(url);
  const fields = Object.entries({ Host: host, ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
  const request = `GET ${pathname} HTTP/1.1\r\n${fields.join('')}\r\n`;
  const shown = client === null ? {} : { cert: readFileSync(client.certificate), key: readFileSync(client.key) };
  const until = performance.now() + seconds * 1_000;
  let [requests, failed] = [0, 0];
  const one = (): Promise<void> =>
    new Promise((done) => {
      const options = { host: '127.0.0.1', port: Number(port), servername: hostname, rejectUnauthorized: false };
      const socket = connect({ ...options, ...shown }, () => socket.write(request));
      let left = -1;
      socket.setEncoding('latin1');
      socket.on('data', (chunk: string) => {
        if (left < 0) {
          const head = /^HTTP\/1\.1 (\d+)[\s\S]*?content-length: (\d+)[\s\S]*?\r\n\r\n/i.exec(chunk);
          if (head?.[1] !== '200') failed++;
          left = head === null ? 0 : Number(head[2]) + head[0].length;
        }
        left -= chunk.length;
        if (left > 0) return;
        requests++;
        left = -1;
        if (performance.now() < until) socket.write(request);
        else socket.end();
      });
      socket.on('error', () => failed++);
      socket.on('close', () => done());
    });
  await Promise.all(Array.from({ length: connections }, one));
  process.stdout.write(JSON.stringify({ requests, failed }));
}

if (process.argv[1] === import.meta.filename) await run(JSON.parse(process.argv[2] ?? '') as TlsLoad);
