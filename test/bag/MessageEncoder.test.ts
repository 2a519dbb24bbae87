import { join } from 'node:path';
import { parse } from '@foxglove/rosmsg';
import { MessageReader, MessageWriter } from '@foxglove/rosmsg2-serialization';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { BagWriter } from '../../src/bag/BagWriter';
import { MessageEncoder } from '../../src/bag/MessageEncoder';
import { definitionText } from '../../src/bag/definitionText';
import { openBag } from '../../src/bag/openBag';
import { decodeMessage } from '../../src/ros/client/decodeMessage';
import { removeFolders, temporaryFolder } from '../helpers';

/** Any code points: of one to four bytes each, and lengths that move whatever follows. */
const text = fc.string({ unit: 'binary', maxLength: 12 });
const TASK = 'Räume die Tasse auf 把杯子 🫖';

const foreign = (type: string): MessageReader =>
  new MessageReader(parse(definitionText(type), { ros2: true }));

describe('messages as CDR', () => {
  afterAll(removeFolders);

  it('counts the bytes of a text: é has two, 杯 three, 🫖 four', () => {
    const written = new MessageEncoder(definitionText('std_msgs/msg/String')).encode({ data: 'é杯🫖' });
    const bytes = [0xc3, 0xa9, 0xe6, 0x9d, 0xaf, 0xf0, 0x9f, 0xab, 0x96];
    expect([...written]).toEqual([0, 1, 0, 0, bytes.length + 1, 0, 0, 0, ...bytes, 0]);
  });

  it('is read back by our reader and by another, whatever the texts are', () => {
    const type = 'sensor_msgs/msg/JointState';
    const encoder = new MessageEncoder(definitionText(type));
    const reader = foreign(type);
    fc.assert(
      fc.property(text, fc.array(fc.tuple(text, fc.double())), (frame_id, joints) => {
        const state = {
          header: { stamp: { sec: 1, nanosec: 2 }, frame_id },
          name: joints.map(([name]) => name),
          position: Float64Array.from(joints, ([, value]) => value),
          velocity: new Float64Array(),
          effort: Float64Array.of(1.5),
        };
        const written = encoder.encode(state);
        expect(decodeMessage.vector(type, written)).toEqual(state);
        expect(reader.readMessage(written)).toEqual(state);
      }),
    );
  });

  it('agrees byte for byte with another writer, where texts are ASCII', () => {
    const types = ['diagnostic_msgs/msg/DiagnosticArray', 'trajectory_msgs/msg/JointTrajectory'].concat([
      'sensor_msgs/msg/CameraInfo', // lists of fixed length, a nested region, truth values
      'rcl_interfaces/msg/ParameterEvent', // 64-bit integers and lists of each kind
      'std_msgs/msg/Empty',
    ]);
    const ascii = fc.string({ maxLength: 6 });
    const duration = fc.record({ sec: fc.nat(9), nanosec: fc.nat(999_999_999) });
    const doubles = fc.array(fc.double()).map((values) => Float64Array.from(values));
    const message = fc.record(
      {
        header: fc.record({ stamp: duration, frame_id: ascii }),
        status: fc.array(
          fc.record({
            level: fc.nat(2),
            name: ascii,
            values: fc.array(fc.record({ key: ascii, value: ascii })),
          }),
        ),
        joint_names: fc.array(ascii),
        points: fc.array(fc.record({ positions: doubles, time_from_start: duration })),
        height: fc.nat(),
        d: doubles,
        r: fc.array(fc.double(), { minLength: 9, maxLength: 9 }),
        roi: fc.record({ do_rectify: fc.boolean(), width: fc.nat() }),
        new_parameters: fc.array(
          fc.record({
            name: ascii,
            value: fc.record({
              type: fc.nat(9),
              bool_value: fc.boolean(),
              integer_value: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
              byte_array_value: fc.uint8Array(),
              bool_array_value: fc.array(fc.boolean()),
              string_array_value: fc.array(ascii),
            }),
          }),
        ),
      },
      { requiredKeys: [] },
    );
    for (const type of types) {
      const encoder = new MessageEncoder(definitionText(type));
      const other = new MessageWriter(parse(definitionText(type), { ros2: true }));
      fc.assert(
        fc.property(message, (one) => {
          expect([...encoder.encode(one)]).toEqual([...other.writeMessage(one)]);
        }),
      );
    }
  });

  it('has what a new message has where nothing is given', () => {
    const definition = 'int32[3] a\nstring word "grün"\nfloat32 b 1.5\nstring[2] two\nbool yes true\nint64 n';
    const read = new MessageReader(parse(definition, { ros2: true }));
    const written = new MessageEncoder(definition).encode({ b: null });
    expect(read.readMessage(written)).toEqual({
      ...{ a: new Int32Array(3), word: 'grün', b: 1.5, two: ['', ''], yes: true, n: 0n },
    });
  });

  it('refuses what is no such message, instead of writing something else', () => {
    const encoder = new MessageEncoder('int32[3] a\nstring word\nbool yes\nint32[] more');
    expect(() => encoder.encode({ a: [1, 2] })).toThrow('a has 2 elements, expected 3');
    expect(() => encoder.encode({ word: 3 })).toThrow('word is a string, got number');
    expect(() => encoder.encode({ yes: 1 })).toThrow('yes is a bool, got number');
    expect(() => encoder.encode({ more: 'x' })).toThrow('more is no list');
    expect(() => new MessageEncoder('wstring w')).toThrow('w is a wstring, which cannot be written');
  });

  it('is what a recording holds', async () => {
    const folder = join(temporaryFolder(), 'bag');
    const bag = await BagWriter.create({ folder, compression: 'zstd' });
    await bag.addTopic({ name: '/instruction', type: 'std_msgs/msg/String' });
    await bag.write('/instruction', 1n, { data: TASK });
    await bag.close();
    const recording = await openBag(folder);
    const read: unknown[] = [];
    for await (const message of recording.messages({ topics: ['/instruction'] }))
      read.push(recording.decode(message));
    await recording.close();
    expect(read).toEqual([{ data: TASK }]);
  });
});
