import { afterEach, describe, expect, it } from 'vitest';
import { PARAMETER_TYPE } from '../../src/ros/client/rclnodejs';
import type { RosNode } from '../../src/ros/client/rclnodejs';
import { ClockWatch } from '../../src/ros/node/ClockWatch';
import { LEVEL } from '../../src/ros/node/Diagnostics';
import { standIn } from '../standIn';

const running: ClockWatch[] = [];

function setUp(useSimTime: boolean) {
  const node = { time: 0n, publishers: 0, useSimTime };
  const told: string[] = [];
  const ros = standIn<RosNode>({
    getClock: () => ({ now: () => ({ nanoseconds: node.time }) }),
    getParameter: (name) => ({ name, type: PARAMETER_TYPE.bool, value: node.useSimTime }),
    countPublishers: () => node.publishers,
  });
  const watch = new ClockWatch(ros, ({ message }) => told.push(message));
  running.push(watch);
  return { node, watch, told, start: performance.now() };
}

describe('the watch over the clock', () => {
  afterEach(() => {
    for (const watch of running.splice(0)) watch.stop();
  });

  it('has nothing to say of a node that lives in the time of the machine', () => {
    const { watch, told, start } = setUp(false);
    watch.look(start + 60_000);
    expect(watch.status).toMatchObject({ level: LEVEL.ok, message: 'the time is that of the machine' });
    expect(told).toEqual([]);
  });

  it('says within a second that nobody publishes /clock, and that it has come', () => {
    const { node, watch, told, start } = setUp(true);
    watch.look(start + 100);
    expect(watch.status.level).toBe(LEVEL.ok);
    watch.look(start + 900);
    expect(watch.status.level).toBe(LEVEL.error);
    expect(told).toEqual([
      'use_sim_time is true, and nobody publishes /clock: no time passes, nothing is done',
    ]);
    node.time = 1n;
    watch.look(start + 1000);
    expect(watch.status).toMatchObject({ level: LEVEL.ok, message: 'the time comes from /clock' });
    expect(told).toHaveLength(2);
  });

  it('says within a second that the clock has stopped, once, and that it goes on', () => {
    const { node, watch, told, start } = setUp(true);
    node.publishers = 1;
    for (let at = 0; at <= 2000; at += 100) {
      node.time += 100_000_000n;
      watch.look(start + at);
    }
    expect(told).toEqual([]);
    for (let at = 2100; at <= 2900; at += 100) watch.look(start + at);
    expect(told).toEqual(['/clock has stopped: no time passes, nothing is done']);
    expect(watch.status).toMatchObject({
      level: LEVEL.error,
      values: { 'time of the node': '2.100 s', publishers: 1 },
    });
    // A recording that begins again is a clock that goes on.
    node.time = 5n;
    watch.look(start + 3000);
    expect(watch.status.level).toBe(LEVEL.ok);
    node.useSimTime = false;
    watch.look(start + 9000);
    expect(watch.status.level).toBe(LEVEL.ok);
  });
});
