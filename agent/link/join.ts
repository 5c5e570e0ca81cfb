/**
 * The minion's own token: read from disk, or got once in exchange for a join token and kept there (mode 0600). What the
 * tokens hold and who signs them is the Worker's affair; here a join token is only told from a minion's own.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { join } from 'node:path';
import type { Status } from '../../shared/api/meta.ts';
import { internalError, StatusError } from '../../shared/errors.ts';
import { JOIN_PATH, type JoinReply, type JoinRequest } from '../../shared/link/protocol.ts';
import type { LinkSettings } from './link.ts';

type JoinSettings = Pick<LinkSettings, 'server' | 'token' | 'ca' | 'nodeName' | 'dataDir' | 'machineId'>;

const TIMEOUT_MS = 15_000;

const tokenFile = (settings: JoinSettings) => join(settings.dataDir, 'minion.token');

/** The kept token, or the given one when it is a minion's own; undefined: it must join. */
export function knownToken(settings: JoinSettings): string | undefined {
  if (!isJoinToken(settings.token)) return settings.token;
  try {
    return readFileSync(tokenFile(settings), 'utf8').trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** The kept token is refused: the next `knownToken` says that the minion must join again. */
export function forgetToken(settings: JoinSettings): void {
  rmSync(tokenFile(settings), { force: true });
}

/** @throws StatusError as the cluster answered; Error when it could not be reached. */
export async function joinCluster(settings: JoinSettings): Promise<string> {
  const asked: JoinRequest = { node: settings.nodeName, machineId: settings.machineId };
  const { token } = await post<JoinReply>(settings, asked);
  mkdirSync(settings.dataDir, { recursive: true, mode: 0o700 });
  writeFileSync(tokenFile(settings), `${token}\n`, { mode: 0o600 });
  return token;
}

function post<T>(settings: JoinSettings, body: unknown): Promise<T> {
  const url = new URL(`${settings.server}${JOIN_PATH}`);
  const request = url.protocol === 'https:' ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    const outgoing = request(
      url,
      {
        method: 'POST',
        headers: { authorization: `Bearer ${settings.token}`, 'content-type': 'application/json' },
        timeout: TIMEOUT_MS,
        ...(settings.ca === undefined ? {} : { ca: settings.ca }),
      },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
        });
        response.on('error', reject);
        response.on('end', () => {
          const code = response.statusCode ?? 500;
          try {
            const answer = JSON.parse(text) as unknown;
            if (code < 300) resolve(answer as T);
            else reject(errorOf(code, answer as Status));
          } catch (error) {
            reject(internalError(`HTTP ${code} without JSON: ${String(error)}`));
          }
        });
      },
    );
    outgoing.on('timeout', () => outgoing.destroy(new Error('the control plane does not answer')));
    outgoing.on('error', reject);
    outgoing.end(JSON.stringify(body));
  });
}

const errorOf = (code: number, status: Status) =>
  new StatusError(code, status.reason ?? 'InternalError', status.message ?? `HTTP ${code}`, status.details);

/** By the subject that the token names; a token that cannot be read is taken for a minion's own, and refused by the server. */
function isJoinToken(token: string): boolean {
  const payload = token.split('.')[1];
  if (payload === undefined) return false;
  try {
    const { sub } = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')) as { sub?: string };
    return sub?.startsWith('system:bootstrap:') ?? false;
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}
