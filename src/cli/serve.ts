import { join } from 'node:path';
import type { Command } from 'commander';
import { Bundle } from '../bundle/Bundle';
import { POLICIES } from '../cache/registry';
import { FastWamError, UsageError } from '../errors';
import { packageVersion } from '../evaluation/provenance';
import { readRunParameters } from '../evaluation/runParameters';
import type { RunParameters } from '../evaluation/runParameters';
import { modelFacts } from '../policy/modelFacts';
import { PolicyClient } from '../policy/PolicyClient';
import type { Conversation } from '../serve/Conversation';
import { ConnectionSettings } from '../serve/ConnectionSettings';
import { expectedKeys, observationKeys } from '../serve/observationKeys';
import type { ObservationKeys } from '../serve/observationKeys';
import { PolicyConversation } from '../serve/PolicyConversation';
import { PolicyServer } from '../serve/PolicyServer';
import { startSettings } from '../serve/startSettings';
import { isLoopback, readToken } from '../serve/token';
import { WorldConversation } from '../serve/WorldConversation';
import { fitMapping } from '../settings/mapping';
import { executionOptions, text } from '../settings/parameterValues';
import type { ParameterValues } from '../settings/parameterValues';
import { onInterrupt } from '../signals';
import { printLine, say } from '../terminal';
import { listed } from '../words/listed';
import { portNumber, wholeNumber } from './flagValues';
import {
  addExecutionOverrides,
  addSettingOptions,
  givenTexts,
  readExecutionOverrides,
} from './policyOptions';
import type { ExecutionOverrides, PolicyOptions } from './policyOptions';

interface ServeFlags extends ExecutionOverrides, Omit<PolicyOptions, 'policy'> {
  readonly bundle?: string;
  readonly params?: string;
  readonly policy?: string;
  readonly host: string;
  readonly port: string;
  readonly tokenFile?: string;
  readonly world?: boolean;
  readonly rotated?: string;
  readonly ignore?: string;
  readonly clients: string;
  readonly messageBytes: string;
}

/** openpi's */
const DEFAULT_PORT = '8000';
/** Some pictures of full high definition as pixels. */
const DEFAULT_MESSAGE_BYTES = 2 ** 24;
const LARGEST_MESSAGE_BYTES = 2 ** 30;
/** Where the simulated world is. */
const WORLD_PATH = '/world';

/** `fastwam serve` */
export function serveCommand(program: Command): Command {
  const command = addSettingOptions(
    program
      .command('serve')
      .description("serve a bundle to openpi's clients, and the simulated world to any policy, by websocket")
      .option('--bundle <dir>', 'a bundle; may be left out with --world')
      .option('--params <file>', "the node's params file: topics are the keys of observations, and settings")
      .option(
        '--policy <name>',
        `cache policy of clients that set none: ${POLICIES.map((p) => p.name).join(', ')} (default: the params file's, else c3ache)`,
      ),
  )
    .option('--host <address>', 'address to listen on; others than loopback need a token', '127.0.0.1')
    .option('--port <n>', 'port to listen on; 0 = a free one', DEFAULT_PORT)
    .option('--token-file <file>', 'clients must state its first line as their api_key (or: FASTWAM_TOKEN)')
    .option('--world', `serve the simulated world too, at ${WORLD_PATH}`)
    .option('--rotated <cameras>', "cameras whose pictures clients turn by 180°, as openpi's LIBERO does")
    .option('--ignore <keys>', 'keys of observations that clients send and the bundle does not take')
    .option('--clients <n>', 'clients at a time', '64')
    .option('--message-bytes <n>', 'largest message of a client', String(DEFAULT_MESSAGE_BYTES));
  addExecutionOverrides(command);
  return command.action((flags: ServeFlags) => serve(flags));
}

/** Serves until the process is told to end. */
async function serve(flags: ServeFlags): Promise<void> {
  const { host } = flags;
  const port = portNumber('--port', flags.port);
  const messageBytes = wholeNumber('--message-bytes', flags.messageBytes, 1024);
  if (messageBytes > LARGEST_MESSAGE_BYTES) {
    throw new UsageError(`--message-bytes ${messageBytes}: expected 1024 to ${LARGEST_MESSAGE_BYTES}`);
  }
  const clients = wholeNumber('--clients', flags.clients, 1);
  const token = readToken(host, flags.tokenFile, process.env);
  if (flags.bundle === undefined && !flags.world) {
    throw new UsageError('--bundle is missing: what to serve; or --world, for the simulated world alone');
  }
  // What was asked for is checked, and the model loaded, before the first client is let in.
  const subject = flags.bundle === undefined ? undefined : subjectOf(flags.bundle, flags);
  let stop: () => void = () => undefined;
  const stopped = new Promise<void>((resolve) => (stop = resolve));
  const forget = onInterrupt(stop);
  let client: (PolicyClient & { readonly loaded: { readonly notices: readonly string[] } }) | undefined;
  let server: PolicyServer | undefined;
  try {
    if (subject) {
      client = await PolicyClient.load(subject.bundle.folder, subject);
      client.loaded.notices.forEach(say);
    }
    const conversations = new Map<string, () => Promise<Conversation>>();
    if (client && subject) conversations.set('/', conversationsWith(client, subject));
    if (flags.world) conversations.set(WORLD_PATH, () => Promise.resolve(new WorldConversation()));
    server = await PolicyServer.listen({
      host,
      port,
      clients,
      messageBytes,
      conversations,
      onNote: say,
      ...(token !== undefined && { token }),
    });
    const url = `ws://${host.includes(':') ? `[${host}]` : host}:${server.port}`;
    if (subject) printLine(`${subject.bundle.manifest.name}: ${url}  (Ctrl-C ends it)`);
    if (subject) say(`an observation has ${expectedKeys(subject.keys).join(', ')}`);
    if (flags.world) printLine(`the simulated world: ${url}${WORLD_PATH}`);
    if (!isLoopback(host)) say('what is said is not encrypted, the token included: put TLS before it');
    const lost = client?.ended.then(() => {
      throw new FastWamError('the inference worker has ended, and nothing can be served any more');
    });
    await (lost ? Promise.race([stopped, lost]) : stopped);
  } finally {
    forget();
    await server?.close();
    await client?.close();
  }
}

/** What is served, and how. */
interface Subject {
  readonly bundle: Bundle;
  readonly keys: ObservationKeys;
  readonly settings: ParameterValues;
  readonly execution: ReturnType<typeof readExecutionOverrides>;
  readonly choice: ConnectionSettings['current'];
  /** drop chunks that the limits of the bundle would cut */
  readonly refuseLimited: boolean;
}

function subjectOf(folder: string, flags: ServeFlags): Subject {
  const bundle = Bundle.open(folder);
  const params = flags.params === undefined ? undefined : readRunParameters(flags.params);
  params?.warnings.forEach((warning) => say(`warning: ${warning}`));
  const facts = modelFacts(bundle);
  const texts = givenTexts(flags);
  const settings = startSettings(
    { texts, ...(flags.policy !== undefined && { policy: flags.policy }), ...(params && { params }) },
    facts,
  );
  const first = new ConnectionSettings(settings, facts);
  if (first.warning !== undefined) say(`warning: ${first.warning}`);
  return {
    bundle,
    keys: keysOf(bundle, params, flags),
    settings,
    execution: {
      ...(params && executionOptions(params.set.values)),
      ...readExecutionOverrides(flags),
    },
    choice: first.current,
    refuseLimited: params !== undefined && text(params.set.values, 'safety.limits') === 'refuse',
  };
}

function keysOf(bundle: Bundle, params: RunParameters | undefined, flags: ServeFlags): ObservationKeys {
  const fitted = params && fitMapping(params.mapping, bundle.manifest);
  fitted?.warnings.forEach((warning) => say(`warning: ${warning}`));
  return observationKeys(bundle, fitted?.mapping, {
    rotated: listed(flags.rotated ?? ''),
    ignored: listed(flags.ignore ?? ''),
  });
}

function conversationsWith(
  client: PolicyClient,
  { keys, settings, refuseLimited }: Subject,
): () => Promise<Conversation> {
  const version = packageVersion(join(__dirname, '..', '..', 'package.json'));
  const { bundle } = client;
  return async () => {
    const episode = await client.createEpisode();
    return new PolicyConversation({ bundle, keys, settings, episode, version, infer: { refuseLimited } });
  };
}
