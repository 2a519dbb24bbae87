/**
 * Builds the bundled recording `bags/tabletop_demo` from a closed-loop run of the bundled model, which
 * `training/fastwam_tiny/record.py` wrote: four episodes of 20 chunks, with the observation of chunk c at second c of
 * its episode and the ten executed actions of the chunk after it. The same input gives the same bytes.
 *
 *     npx ts-node scripts/make-demo-bag.ts [folder]
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { BagWriter } from '../src/bag/BagWriter';
import { openSafetensors } from '../src/formats/safetensors';
import { readBytes, readFloat32, readFloat64 } from '../src/formats/readTensor';
import { fromSeconds } from '../src/observation/stamp';
import { TASKS } from '../src/sim/tasks';
import type { StoredTensor } from '../src/formats/StoredTensor';

const ROOT = join(__dirname, '..');
const SOURCE = join(ROOT, 'test', 'fixtures', 'toy', 'bundled_closed_loop.safetensors');

/** When the recording starts. Any time does; this one is easy to recognise. */
const START = 1_700_000_000_000_000_000n;
/** Silence between two episodes, s; long enough to be seen as such. */
const PAUSE = 5;
/** Control rate, Hz, and actions executed of each chunk. */
const RATE = 10;
const REPLAN_STEPS = 10;
const JOINTS = ['gripper_x', 'gripper_y', 'gripper_opening'];

function headerAt(time: bigint, frame: string): object {
  const giga = 1_000_000_000n;
  return { stamp: { sec: Number(time / giga), nanosec: Number(time % giga) }, frame_id: frame };
}

/** One camera's half of composed images [height, 2 * side, 3], as an rgb8 message. */
function imageMessage(composed: Uint8Array, left: number, side: number, time: bigint, frame: string): object {
  const data = new Uint8Array(side * side * 3);
  for (let y = 0; y < side; y++) {
    const from = (y * 2 * side + left) * 3;
    data.set(composed.subarray(from, from + side * 3), y * side * 3);
  }
  return {
    header: headerAt(time, frame),
    height: side,
    width: side,
    encoding: 'rgb8',
    is_bigendian: 0,
    step: side * 3,
    data,
  };
}

async function makeDemoBag(folder: string): Promise<void> {
  const file = openSafetensors(SOURCE);
  const tensor = (name: string): StoredTensor => {
    const found = file.tensors.get(name);
    if (found === undefined) throw new Error(`${SOURCE} has no tensor ${name}`);
    return found;
  };
  const images = readBytes(tensor('images'));
  const proprio = readFloat32(tensor('proprio'));
  const actions = readFloat32(tensor('action'));
  const tasks = readFloat64(tensor('task'));
  const [worlds = 0, chunks = 0, horizon = 0, actionDim = 0] = tensor('action').shape;
  const [, , side = 0] = tensor('images').shape;
  const imageBytes = side * 2 * side * 3;

  rmSync(folder, { recursive: true, force: true });
  const bag = await BagWriter.create({ folder, compression: 'zstd' });
  const latched = { reliability: 'reliable', durability: 'transient_local', depth: 1 } as const;
  await bag.addTopic({ name: '/instruction', type: 'std_msgs/msg/String', qos: latched });
  await bag.addTopic({ name: '/front/image_raw', type: 'sensor_msgs/msg/Image' });
  await bag.addTopic({ name: '/wrist/image_raw', type: 'sensor_msgs/msg/Image' });
  await bag.addTopic({ name: '/joint_states', type: 'sensor_msgs/msg/JointState' });
  await bag.addTopic({ name: '/commands', type: 'std_msgs/msg/Float64MultiArray' });

  for (let world = 0; world < worlds; world++) {
    const begin = START + fromSeconds(world * ((chunks * REPLAN_STEPS) / RATE + PAUSE));
    const task = TASKS[tasks[world] ?? -1];
    if (task === undefined) throw new Error(`there is no task ${tasks[world]}`);
    await bag.write('/instruction', begin, { data: task.instruction });
    for (let chunk = 0; chunk < chunks; chunk++) {
      const at = world * chunks + chunk;
      const time = begin + fromSeconds((chunk * REPLAN_STEPS) / RATE);
      const composed = images.subarray(at * imageBytes, (at + 1) * imageBytes);
      await bag.write('/front/image_raw', time, imageMessage(composed, 0, side, time, 'front_camera'));
      await bag.write('/wrist/image_raw', time, imageMessage(composed, side, side, time, 'wrist_camera'));
      await bag.write('/joint_states', time, {
        header: headerAt(time, ''),
        name: JOINTS,
        position: Float64Array.from(proprio.subarray(at * JOINTS.length, (at + 1) * JOINTS.length)),
        velocity: [],
        effort: [],
      });
      for (let step = 0; step < REPLAN_STEPS; step++) {
        const from = (at * horizon + step) * actionDim;
        await bag.write('/commands', time + fromSeconds((step + 1) / RATE), {
          layout: { dim: [], data_offset: 0 },
          data: Float64Array.from(actions.subarray(from, from + actionDim)),
        });
      }
    }
  }
  await bag.close();
}

makeDemoBag(process.argv[2] ?? join(ROOT, 'bags', 'tabletop_demo')).catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
