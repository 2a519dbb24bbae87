import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Bundle } from '../../src/bundle/Bundle';
import type { BundleManifest } from '../../src/bundle/schema';
import { openBag } from '../../src/bag/openBag';
import { cameraLikeness, suggestMapping } from '../../src/bag/suggestMapping';
import { suggestedParams } from '../../src/bag/suggestedParams';
import { surveyBag } from '../../src/bag/survey';
import type { BagSurvey, SurveyedTopic } from '../../src/bag/survey';
import { parse } from 'yaml';

const ROOT = join(__dirname, '..', '..');
const TABLETOP = Bundle.open(join(ROOT, 'bundles', 'tabletop')).manifest;

async function surveyOf(path: string): Promise<BagSurvey> {
  const bag = await openBag(path);
  try {
    return await surveyBag(bag);
  } finally {
    await bag.close();
  }
}

function topic(name: string, type: string, more: Partial<SurveyedTopic> = {}): SurveyedTopic {
  return {
    name,
    type,
    encoding: 'cdr',
    count: 10,
    rate: 10,
    longestGap: undefined,
    joints: [],
    elements: undefined,
    texts: [],
    picture: undefined,
    problem: undefined,
    ...more,
  };
}
const PICTURE = { picture: { width: 64, height: 48, encoding: 'rgb8' } };
const image = (name: string) => topic(name, 'sensor_msgs/msg/Image', PICTURE);
const joints = (name: string, ...lists: string[][]) =>
  topic(name, 'sensor_msgs/msg/JointState', { joints: lists });

function suggested(topics: readonly SurveyedTopic[], manifest: BundleManifest = TABLETOP) {
  return suggestMapping({ path: 'bag', storage: 'mcap', length: 1, topics, warnings: [] }, manifest);
}

/** The bundled model with other names. */
function renamed(names: { cameras?: readonly string[]; proprio?: readonly string[] }): BundleManifest {
  const { cameras, proprio } = TABLETOP;
  return {
    ...TABLETOP,
    cameras: names.cameras?.map((name) => ({ ...cameras[0]!, name })) ?? cameras,
    proprio: { ...proprio, names: [...(names.proprio ?? proprio.names)] },
    dimensions: { ...TABLETOP.dimensions, proprio_dim: names.proprio?.length ?? 3 },
  };
}

describe('the params file of a recording', () => {
  it('of the bundled recording is the shipped one', async () => {
    const survey = await surveyOf(join(ROOT, 'bags', 'tabletop_demo'));
    const mapping = suggestMapping(survey, TABLETOP);
    expect(mapping.questions).toEqual([]);
    const text = suggestedParams(survey, TABLETOP, mapping, 'bundles/tabletop');
    expect(text).toContain('# Everything was found by name.');
    expect(text).not.toMatch(/GUESS|OPEN/);
    expect(parse(text)).toEqual({
      '/**': {
        ros__parameters: {
          cameras: {
            front: { topic: '/front/image_raw', transport: 'raw' },
            wrist: { topic: '/wrist/image_raw', transport: 'raw' },
          },
          proprio: {
            sources: ['joints'],
            joints: {
              topic: '/joint_states',
              type: 'sensor_msgs/msg/JointState',
              joints: ['gripper_x', 'gripper_y', 'gripper_opening'],
            },
          },
          instruction_topic: '/instruction',
          commands: {
            topic: '/commands',
            type: 'std_msgs/msg/Float64MultiArray',
            joints: ['dx', 'dy', 'grip'],
          },
          control: { rate: 10, replan_steps: 10 },
        },
      },
    });
  });

  it('marks what only looks right, and asks what nothing answers', () => {
    const survey: BagSurvey = {
      path: 'bag\nwith a line',
      storage: 'mcap',
      length: 1,
      topics: [image('/usb_cam_2/image'), joints('/joint_states', ['a', 'b', 'c'])],
      warnings: [],
    };
    const text = suggestedParams(survey, TABLETOP, suggestMapping(survey, TABLETOP), 'b');
    expect(text).toMatch(/# OPEN: cameras\.wrist: no topic with pictures is left for it/);
    expect(text).toMatch(/# GUESS: the bundle calls them gripper_x, gripper_y, gripper_opening/);
    expect(text).toMatch(/# GUESS: the recording has no topic with the task/);
    expect(text.split('\n')[0]).toBe(
      '# Topics of bag with a line for the bundle tabletop, suggested by fastwam params.',
    );
    expect(() => parse(text) as unknown).not.toThrow();
  });
});

describe('cameras', () => {
  it('are told apart by place and side', () => {
    expect(cameraLikeness('wrist_image', '/robot/wrist_cam/image_raw')).toBeGreaterThan(
      cameraLikeness('wrist_image', '/front/image_raw'),
    );
    expect(cameraLikeness('left_wrist', '/wrist_left/color')).toBeGreaterThan(
      cameraLikeness('left_wrist', '/wrist_right/color'),
    );
    expect(cameraLikeness('image', '/agentview/image')).toBeGreaterThan(
      cameraLikeness('image', '/eye_in_hand/image'),
    );
  });

  it('are each given one topic, the raw pictures before the compressed ones of the same camera', () => {
    const { cameras } = suggested([
      topic('/front/image_raw/compressed', 'sensor_msgs/msg/CompressedImage', PICTURE),
      image('/front/image_raw'),
      topic('/hand_camera/color/compressed', 'sensor_msgs/msg/CompressedImage', PICTURE),
    ]);
    expect(cameras.map(({ name, topic: one, transport }) => [name, one, transport])).toEqual([
      ['front', '/front/image_raw', 'raw'],
      ['wrist', '/hand_camera/color/compressed', 'compressed'],
    ]);
  });

  it('are never depth pictures, whose first frame says what they are', () => {
    const depth = topic('/front/depth', 'sensor_msgs/msg/Image', { problem: '16UC1 is a depth image' });
    const { cameras, questions } = suggested([depth, image('/wrist/image')]);
    expect(cameras.map(({ name }) => name)).toEqual(['wrist']);
    expect(questions[0]).toMatch(/^cameras\.front: no topic with pictures is left/);
  });
});

describe('joints', () => {
  const proprio = (topics: readonly SurveyedTopic[], names: readonly string[]) =>
    suggested(topics, renamed({ proprio: names })).proprio.map(
      ({ topic: one, joints: list, certainty }) => [one, list, certainty] as const,
    );

  it('are found by name, in the order of the bundle, and not on a topic of commands', () => {
    expect(
      proprio([joints('/joint_commands', ['b', 'a']), joints('/joint_states', ['c', 'b', 'a'])], ['a', 'b']),
    ).toEqual([['/joint_states', ['a', 'b'], 'certain']]);
  });

  it('of several topics become several sources', () => {
    expect(
      proprio([joints('/left', ['l1', 'l2']), joints('/right', ['r2', 'r1'])], ['l1', 'l2', 'r1', 'r2']),
    ).toEqual([
      ['/left', ['l1', 'l2'], 'certain'],
      ['/right', ['r1', 'r2'], 'certain'],
    ]);
  });

  it('under another spelling are a guess', () => {
    expect(
      proprio(
        [joints('/joint_states', ['robot/shoulder_pan', 'robot/elbowFlex'])],
        ['shoulder_pan', 'elbow_flex'],
      ),
    ).toEqual([['/joint_states', ['robot/shoulder_pan', 'robot/elbowFlex'], 'guess']]);
  });

  it("of no name that fits are taken in the recording's order, as a guess, if their number fits", () => {
    expect(proprio([joints('/joint_states', ['q', 'w'])], ['state_0', 'state_1'])).toEqual([
      ['/joint_states', ['q', 'w'], 'guess'],
    ]);
    const { questions } = suggested([joints('/joint_states', ['q'])], renamed({ proprio: ['aa', 'bb'] }));
    expect(questions.join()).toMatch(
      /proprio: nothing gives the bundle's 2 values \(aa, bb\).*\/joint_states \(q\)/,
    );
  });
});
