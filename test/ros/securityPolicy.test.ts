import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { removeFolders, temporaryFolder } from '../helpers';
import { Peer, ROOT, RosProcess, rosLacking } from './Peer';
import { Remote } from './Remote';
import { withBond } from './bondPackage';
import { compiledSource } from './compiledSource';
import { JOINTS, TASK, exportTabletop } from './tabletopBundle';

const FILE = join(ROOT, 'ros_ws', 'src', 'fast_wam_policy', 'sros2', 'policy.xml');

/** What a node needs of the graph, by full names. */
type Ends = Readonly<Record<'publish' | 'subscribe' | 'reply' | 'request', readonly string[]>>;

const HEADING = `<?xml version="1.0" encoding="UTF-8"?>
<!-- What policy and action_executor need of the ROS graph, for SROS2: under their usual names, outside of a namespace, with
     cameras on front/image_raw and wrist/image_raw, joints on joint_states and command.interface forward. Put your topics in
     their place. Written from the running nodes (a test holds it against them); docs/explanation/network-and-security.md
     tells what to do with it. -->
`;

function policyXml(nodes: ReadonlyMap<string, Ends>): string {
  const rules = (tag: 'topic' | 'service', way: keyof Ends, names: readonly string[]): string[] =>
    names.length === 0
      ? []
      : [`<${tag}s ${way}="ALLOW">`, ...names.map((name) => `  <${tag}>${name}</${tag}>`), `</${tag}s>`];
  const enclaves = [...nodes].flatMap(([node, ends]) => [
    `    <enclave path="/${node}">`,
    '      <profiles>',
    `        <profile ns="/" node="${node}">`,
    ...[
      ...rules('topic', 'publish', ends.publish),
      ...rules('topic', 'subscribe', ends.subscribe),
      ...rules('service', 'reply', ends.reply),
      ...rules('service', 'request', ends.request),
    ].map((line) => `          ${line}`),
    '        </profile>',
    '      </profiles>',
    '    </enclave>',
  ]);
  return [
    `${HEADING}<policy version="0.2.0">`,
    '  <enclaves>',
    ...enclaves,
    '  </enclaves>',
    '</policy>',
    '',
  ].join('\n');
}

describe.skipIf(rosLacking() !== undefined)('the SROS2 policy', { timeout: 240_000 }, () => {
  let peer: Peer;
  const running: RosProcess[] = [];

  afterEach(async ({ task }) => {
    for (const node of running.splice(0)) {
      if (task.result?.state === 'fail') process.stderr.write(`${node.output}\n`);
      await node.end();
    }
    await peer.end();
  });
  afterAll(removeFolders);

  it('allows exactly what the active nodes publish, hear, serve and ask for (UPDATE_DOCS=1 writes it)', async () => {
    const bundle = exportTabletop(temporaryFolder());
    const around = withBond();
    peer = await Peer.start(around);
    const start = (program: string, ...parameters: string[]): void => {
      const path = join(compiledSource(), 'ros', 'executables', `${program}.js`);
      const args = [`bundle:=${bundle}`, 'autostart:=true', ...parameters].flatMap((said) => ['-p', said]);
      running.push(new RosProcess(around(['node', path, '--ros-args', ...args])));
    };
    start(
      'policy',
      ...['cameras.front.topic:=front/image_raw', 'cameras.wrist.topic:=wrist/image_raw'],
      ...['proprio.arm.topic:=joint_states', `proprio.arm.joints:=[${Object.keys(JOINTS).join(', ')}]`],
      ...[`instruction:=${TASK}`, 'execution.threads:=1', 'use_sim_time:=true'],
    );
    start('action_executor', 'use_sim_time:=true');
    await peer.do('subscribe', { topic: '/diagnostics', type: 'diagnostic_msgs/msg/DiagnosticArray' });
    const names = ['fast_wam_policy', 'action_executor'];
    for (const name of names) {
      await new Remote(peer, `/${name}`).status('State', (_, { values }) =>
        values.some(({ key, value }) => key === 'state' && value === 'active'),
      );
    }
    const look = async (): Promise<string> => {
      const nodes = new Map<string, Ends>();
      for (const name of names)
        nodes.set(name, await peer.do<Ends>('ends_of', { node: name, namespace: '/' }));
      return policyXml(nodes);
    };
    // The graph becomes known to the peer bit by bit.
    let wanted = await look();
    for (let i = 0; i < 100 && wanted !== readFileSync(FILE, 'utf8'); i++) wanted = await look();
    if (process.env['UPDATE_DOCS'] === '1') writeFileSync(FILE, wanted);
    expect(readFileSync(FILE, 'utf8')).toBe(wanted);
    for (const topic of ['/bond', '/clock', '/fast_wam_policy/action_chunk']) expect(wanted).toContain(topic);
  });
});
