import type { Command } from 'commander';
import { openBag } from '../bag/openBag';
import { BagPlayer } from '../ros/bags/BagPlayer';
import { withRos } from '../ros/client/withRos';
import { printLine, say } from '../terminal';
import { positive } from './flagValues';

interface PlayFlags {
  readonly rate: string;
  readonly loop?: boolean;
  readonly topics?: string;
  readonly waitFor?: string;
  readonly clock?: string | true;
}

/** Times a second; control steps are multiples of it. */
const CLOCK_RATE = 100;

/** `fastwam play` */
export function playCommand(program: Command): Command {
  return program
    .command('play')
    .description('publish the topics of a recording in ROS 2, as they were recorded')
    .argument('<bag>', 'folder or file of a rosbag2 recording, MCAP or SQLite3')
    .option('--rate <x>', 'how much faster than it was recorded', '1')
    .option('--loop', 'start over at the end')
    .option('--topics <list>', 'only these, separated by commas')
    .option('--wait-for <node>', 'begin when this node listens (and is active, if it is a managed one)')
    .option(
      '--clock [hz]',
      `tell the time of the recording on /clock, for nodes with use_sim_time (${CLOCK_RATE} times a second)`,
    )
    .action(async (path: string, flags: PlayFlags) => {
      const rate = positive('--rate', flags.rate);
      const topics = flags.topics
        ?.split(',')
        .map((name) => name.trim())
        .filter((name) => name !== '');
      const clockRate =
        flags.clock === undefined || flags.clock === true ? CLOCK_RATE : positive('--clock', flags.clock);
      await withRos('fastwam play', 'fastwam_play', async (rclnodejs, node, interruption) => {
        const bag = await openBag(path);
        try {
          const player = new BagPlayer(rclnodejs, node, bag, {
            rate,
            loop: flags.loop ?? false,
            say,
            ...(topics !== undefined && { topics }),
            ...(flags.clock !== undefined && { clockRate }),
            ...(flags.waitFor !== undefined && { waitFor: flags.waitFor }),
          });
          await player.play(interruption);
          for (const warning of bag.warnings) say(warning);
          printLine(`${player.published} messages published on ${player.topics.length} topics`);
        } finally {
          await bag.close();
        }
      });
    });
}
