import { isIP } from 'node:net';
import { InputError, UsageError } from '../errors';
import { readText } from '../formats/readText';

/** The variable of the environment that may hold the token. */
export const TOKEN_VARIABLE = 'FASTWAM_TOKEN';
/** Shorter ones are guessed. */
const SHORTEST = 16;
const LONGEST = 1024;

/** Whether only programs of this machine reach what listens there. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

/**
 * The token that clients must state: from a file, or from the environment. Neither messages nor notes ever hold it.
 * @param file its first line is the token
 * @throws UsageError where others than this machine's programs could connect and there is none; InputError for one that
 * can be guessed; FileFormatError for a file that is no text
 */
export function readToken(
  host: string,
  file: string | undefined,
  environment: Readonly<Record<string, string | undefined>>,
): string | undefined {
  const source = file ?? TOKEN_VARIABLE;
  const text = file === undefined ? environment[TOKEN_VARIABLE] : readText(file, LONGEST);
  const token = text?.split('\n')[0]?.trim();
  if (token === undefined || (token === '' && file === undefined)) {
    if (isLoopback(host)) return undefined;
    throw new UsageError(
      `--host ${host}: others than this machine's programs can connect there; give a token with --token-file or ${TOKEN_VARIABLE}, or leave --host out`,
    );
  }
  if (token.length < SHORTEST || !/^[\x21-\x7e]+$/.test(token)) {
    throw new InputError(
      `${source}: a token has at least ${SHORTEST} characters, none of them a space (openssl rand -hex 32)`,
    );
  }
  return token;
}
