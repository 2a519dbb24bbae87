import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { FastWamError, FileFormatError } from '../../src/errors';
import { fitMapping, readMapping } from '../../src/settings/mapping';
import { readParameterFile } from '../../src/settings/parameterFile';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'mapping-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Writes a params file and returns its path. */
function params(text: string): string {
  const path = join(folder, 'p.yaml');
  writeFileSync(path, text);
  return path;
}

/** A file with the given lines as the parameters of every node; the first of them is line 3. */
function body(...lines: string[]): string {
  return params(['/**:', '  ros__parameters:', ...lines.map((line) => `    ${line}`)].join('\n'));
}

const JOINTS = 'proprio.arm: {topic: /joint_states, joints: [a, b]}';

describe('the topic mapping of a params file', () => {
  it('reads nested and dotted keys alike', () => {
    const nested = readMapping(
      body(
        'cameras:',
        '  front:',
        '    topic: /front/image_raw',
        '    transport: raw',
        'proprio:',
        '  sources: [arm]',
        '  arm:',
        '    topic: /joint_states',
        '    joints: [a, b]',
      ),
    );
    const dotted = readMapping(
      body(
        'cameras.front.topic: /front/image_raw',
        'cameras: {front.transport: raw}',
        'proprio.sources: [arm]',
        JOINTS,
      ),
    );
    const withoutOrigins = (value: unknown): unknown =>
      JSON.parse(JSON.stringify(value, (k, v: unknown) => (k === 'origin' ? '' : v)));
    expect(withoutOrigins(nested)).toEqual(withoutOrigins(dotted));
    expect(nested.cameras).toEqual([
      { name: 'front', topic: '/front/image_raw', transport: 'raw', origin: `${nested.file}:5` },
    ]);
    expect(nested.proprio).toEqual([
      {
        name: 'arm',
        topic: '/joint_states',
        type: 'sensor_msgs/msg/JointState',
        joints: ['a', 'b'],
        field: 'position',
        origin: `${nested.file}:10`,
      },
    ]);
    expect(nested.instructionTopic).toBe('instruction');
  });

  it('keeps the order of proprio.sources, whatever the order in the file', () => {
    const mapping = readMapping(
      body(
        'proprio.sources: [pose, gripper]',
        'proprio.gripper: {topic: gripper, type: JointState, joints: [g], field: velocity}',
        'proprio.pose: {topic: ee_pose, type: geometry_msgs/msg/PoseStamped}',
      ),
    );
    expect(mapping.proprio.map((source) => [source.name, source.type, source.field])).toEqual([
      ['pose', 'geometry_msgs/msg/PoseStamped', 'position'],
      ['gripper', 'sensor_msgs/msg/JointState', 'velocity'],
    ]);
  });

  it('takes instruction, control and the executed commands, and leaves the rest to the parameter table', () => {
    const mapping = readMapping(
      body(
        'instruction: pick it up',
        'instruction_topic: /task',
        'control.rate: 10',
        'control.replan_steps: 5',
        'commands: {topic: /commands, type: Float64MultiArray}',
        'cache.range: [0, 6]',
        'safety.limits: none',
      ),
    );
    expect(mapping.instruction).toBe('pick it up');
    expect(mapping.instructionTopic).toBe('/task');
    expect(mapping.control).toEqual({ rate: 10, replanSteps: 5 });
    expect(mapping.commands?.type).toBe('std_msgs/msg/Float64MultiArray');
    expect([...mapping.parameters.values()]).toEqual([
      { name: 'control.rate', value: 10, line: 5, shared: true },
      { name: 'control.replan_steps', value: 5, line: 6, shared: true },
      { name: 'cache.range', value: [0, 6], line: 8, shared: true },
      { name: 'safety.limits', value: 'none', line: 9, shared: true },
    ]);
  });

  it('takes a topic that ends in /compressed as compressed unless it says otherwise', () => {
    const mapping = readMapping(
      body('cameras.a.topic: /a/compressed', 'cameras.b: {topic: /b/compressed, transport: raw}'),
    );
    expect(mapping.cameras.map((camera) => camera.transport)).toEqual(['compressed', 'raw']);
  });

  it.each([
    [
      'cameras.front.topc: /a',
      /p\.yaml:3: "cameras\.front\.topc" is unknown \(did you mean topic\?\); known here: topic, transport/,
    ],
    ['cameras.front.transport: raw', /:3: cameras\.front\.topic is missing/],
    [
      'cameras.front: {topic: /a, transport: zip}',
      /:3: "cameras\.front\.transport" is "zip", expected raw or compressed/,
    ],
    ['cameras.front.topic: "/a b"', /"cameras\.front\.topic" is not a topic name: "\/a b"/],
    ['cameras: /a', /:3: "cameras" must have settings below it, got "\/a"/],
    ['proprio.source: [arm]', /"proprio\.source" is unknown \(did you mean sources\?\)/],
    ['proprio.arm: {topic: /j, joints: [a, a]}', /proprio\.arm\.joints has "a" twice/],
    ['proprio.arm: {topic: /j, joints: [1]}', /"proprio\.arm\.joints" must be a list of names, got "\[1\]"/],
    ['proprio.arm: {topic: /j, type: Pose}', /"Pose", expected one of sensor_msgs\/msg\/JointState/],
    ['proprio.arm: {topic: /j, type: PoseStamped, field: effort}', /is for JointState only/],
    ['control.rate: 0', /"control\.rate" must be a number above 0, got "0"/],
    ['control.replan_steps: 2.5', /must be a whole number above 0, got "2\.5"/],
    ['instruction: 7', /"instruction" must be a text, got "7"/],
    ['instruction:', /:3: "instruction" has no value/],
    ['instruction: *x', /alias/],
  ])('refuses %s', (line, message) => {
    expect(() => readMapping(body(line))).toThrow(message);
    expect(() => readMapping(body(line))).toThrow(FastWamError);
  });

  it('wants every declared source in the list, once, and every listed one declared', () => {
    expect(() => readMapping(body('proprio.sources: [arn]', JOINTS))).toThrow(
      ':3: proprio.sources does not list "arm"',
    );
    expect(() => readMapping(body('proprio.sources: [arm, arn]', JOINTS))).toThrow(
      '"arn" (did you mean arm?), but proprio.arn.topic is not set',
    );
    expect(() => readMapping(body('proprio.sources: [arm, arm]', JOINTS))).toThrow('lists "arm" twice');
    expect(() => readMapping(body(JOINTS, 'proprio.hand: {topic: /h, joints: [c]}'))).toThrow(
      'list arm, hand in the order',
    );
  });

  it('compares the cameras with those of the bundle', () => {
    const mapping = readMapping(body('cameras.frnt.topic: /a', 'cameras.wrist.topic: /b'));
    expect(() => fitMapping(mapping, model(['front', 'wrist']))).toThrow(
      /p\.yaml:3: cameras\.frnt is not a camera of the bundle \(did you mean front\?\); it has front, wrist$/,
    );
    expect(() =>
      fitMapping(readMapping(body('cameras.front.topic: /a')), model(['front', 'wrist', 'top'])),
    ).toThrow('no topic for wrist, top: set cameras.wrist.topic, cameras.top.topic');
    expect(fitMapping(mapping, model(['frnt', 'wrist'])).warnings).toEqual([]);
  });
});

function model(cameras: readonly string[], joints: readonly string[] = [], actions: readonly string[] = []) {
  const named = (names: readonly string[]) => names.map((name) => ({ name }));
  return { cameras: named(cameras), proprio: { names: joints }, actions: { items: named(actions) } };
}

describe('joints that a params file leaves to the bundle', () => {
  const joints = (lines: readonly string[], names: readonly string[]) =>
    fitMapping(readMapping(body(...lines)), model([], names));

  it("are the bundle's, in its order", () => {
    const { mapping } = joints(['proprio.arm.topic: /j'], ['a', 'b', 'c']);
    expect(mapping.proprio[0]?.joints).toEqual(['a', 'b', 'c']);
  });

  it('are those that the other sources leave', () => {
    const { mapping } = joints(
      [
        'proprio.sources: [pose, arm, hand]',
        'proprio.pose: {topic: /p, type: PoseStamped}',
        'proprio.arm.topic: /j',
        'proprio.hand: {topic: /h, joints: [z]}',
      ],
      ['x', 'y', 'z0', 'rx', 'ry', 'rz', 'a', 'b', 'z'],
    );
    expect(mapping.proprio[1]?.joints).toEqual(['a', 'b']);
  });

  it('must be named where two sources leave them open', () => {
    expect(() =>
      joints(['proprio.sources: [a, b]', 'proprio.a.topic: /a', 'proprio.b.topic: /b'], ['x', 'y']),
    ).toThrow(/p\.yaml:4: proprio\.a\.joints is missing: name the joints in the order the policy takes them/);
  });

  it('of a list are as many as its messages must have', () => {
    const list = 'proprio.hand: {topic: /h, type: Float64MultiArray}';
    const { mapping } = joints(
      ['proprio.sources: [arm, hand]', 'proprio.arm: {topic: /j, joints: [x]}', list],
      ['x', 'y', 'z'],
    );
    expect(mapping.proprio[1]?.joints).toEqual(['y', 'z']);
    expect(() => joints(['proprio.sources: [a, hand]', 'proprio.a.topic: /a', list], ['x', 'y'])).toThrow(
      /proprio\.a\.joints is missing/,
    );
    expect(() =>
      joints(['proprio.sources: [a, hand]', 'proprio.a: {topic: /a, joints: [p, q]}', list], ['p', 'q']),
    ).toThrow(
      /p\.yaml:5: proprio\.hand has nothing to give: the other sources give 2 numbers, the bundle takes 2/,
    );
  });

  it('of recorded commands are the names of the actions', () => {
    const read = readMapping(body('commands.topic: /c'));
    expect(fitMapping(read, model([], [], ['dx', 'dy'])).mapping.commands?.joints).toEqual(['dx', 'dy']);
  });

  it('are wrong in number with file and line', () => {
    expect(() => joints(['proprio.arm: {topic: /j, joints: [a, b]}'], ['a', 'b', 'c'])).toThrow(
      /p\.yaml:3: the sources of proprioception give 2 numbers \(a, b\), the bundle takes 3 \(a, b, c\)/,
    );
  });

  it("in another order than the bundle's are warned of, names that it does not have are not", () => {
    expect(joints(['proprio.arm: {topic: /j, joints: [b, a, c]}'], ['a', 'b', 'c']).warnings).toEqual([
      'proprio: "b" stands at place 1, where the bundle has "a"; its own place there is 2',
      'proprio: "a" stands at place 2, where the bundle has "b"; its own place there is 1',
    ]);
    expect(joints(['proprio.arm: {topic: /j, joints: [p, q, r]}'], ['a', 'b', 'c']).warnings).toEqual([]);
  });
});

describe('the sections of a params file', () => {
  const text = [
    '/**:',
    '  ros__parameters: {a: 1, b: 1}',
    'fast_wam_policy:',
    '  ros__parameters: {b: 2}',
    'action_executor:',
    '  ros__parameters: {b: 3}',
  ].join('\n');

  function values(yaml: string, node?: string): Record<string, unknown> {
    const { entries } = readParameterFile(params(yaml), node);
    return Object.fromEntries([...entries].map(([name, { value }]) => [name, value]));
  }

  it('take what is for all nodes and then what is for this one', () => {
    expect(values(text)).toEqual({ a: 1, b: 2 });
    expect(values(text, 'action_executor')).toEqual({ a: 1, b: 3 });
    expect(values(text, 'other')).toEqual({ a: 1, b: 1 });
  });

  it('find the node in a namespace, written as a path or nested', () => {
    expect(values('/robot1/fast_wam_policy:\n  ros__parameters: {a: 1}')).toEqual({ a: 1 });
    expect(
      values('robot1:\n  fast_wam_policy:\n    ros__parameters: {a: 1}', '/robot1/fast_wam_policy'),
    ).toEqual({ a: 1 });
  });

  it('ask for the full name where several namespaces have the node', () => {
    const two =
      '/r1/fast_wam_policy:\n  ros__parameters: {a: 1}\n/r2/fast_wam_policy:\n  ros__parameters: {a: 2}';
    expect(() => values(two)).toThrow(
      'has different parameters for "/r1/fast_wam_policy" and "/r2/fast_wam_policy"',
    );
    expect(values(two, '/r2/fast_wam_policy')).toEqual({ a: 2 });
  });

  it('say what is there when nothing is for this node', () => {
    expect(() => values('other:\n  ros__parameters: {a: 1}')).toThrow(
      'has no parameters for the node "fast_wam_policy", only for "/other"',
    );
  });

  it('refuse a parameter that is set twice, with both lines', () => {
    expect(() => values('/**:\n  ros__parameters:\n    a.b: 1\n    a: {b: 2}')).toThrow(
      ':4: "a.b" was already set in line 3',
    );
  });

  it('refuse what is not a params file', () => {
    expect(() => values('a: [1, 2')).toThrow(/p\.yaml:\d+: is not YAML/);
    expect(() => values('a: {b: 1}')).toThrow('has no "ros__parameters:"');
    expect(() => values('- 1')).toThrow(FileFormatError);
    expect(() => readParameterFile(join(folder, 'absent.yaml'))).toThrow('absent.yaml: does not exist');
  });

  it('answer any text with parameters or a named error', () => {
    const pieces = fc.constantFrom(
      '/**:',
      '\n',
      '  ',
      'ros__parameters:',
      'a',
      ': ',
      '*x',
      '&x ',
      '{',
      '}',
      '[1',
      ']',
      '- ',
      'null',
      '? ',
      '!!map',
      '"',
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 30 }), (parts) => {
        try {
          readMapping(params(parts.join('')));
        } catch (error) {
          expect(error).toBeInstanceOf(FastWamError);
        }
      }),
      { numRuns: 300 },
    );
  });
});
