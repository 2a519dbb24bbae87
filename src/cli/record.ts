import type { Command } from 'commander';
import { BagWriter } from '../bag/BagWriter';
import { TopicRecorder } from '../ros/bags/TopicRecorder';
import { UsageError } from '../errors';
import { sourcedMessageFolders } from '../ros/client/messageFolders';
import { withRos } from '../ros/client/withRos';
import { isTopicName } from '../settings/topicName';
import { printLine, say } from '../terminal';
import { quoted } from '../words/quoted';
import { positive } from './flagValues';

interface RecordFlags {
  readonly out: string;
  readonly duration?: string;
}

/** `fastwam record` */
export function recordCommand(program: Command): Command {
  return program
    .command('record')
    .description('record topics of ROS 2 as a rosbag2 recording (MCAP), until Ctrl-C')
    .argument('<topics...>', 'names of topics; they may come up later')
    .requiredOption('--out <dir>', 'folder to write; it must not exist yet')
    .option('--duration <s>', 'end after so many seconds')
    .action(async (topics: readonly string[], flags: RecordFlags) => {
      const duration = flags.duration === undefined ? undefined : positive('--duration', flags.duration);
      const wrong = topics.find((topic) => !isTopicName(topic));
      if (wrong !== undefined) throw new UsageError(`${quoted(wrong)} is not the name of a topic`);
      await withRos('fastwam record', 'fastwam_record', async (rclnodejs, node, interruption) => {
        const writer = await BagWriter.create({
          folder: flags.out,
          compression: 'none',
          messageFolders: sourcedMessageFolders(),
        });
        try {
          await new TopicRecorder(rclnodejs, node, writer, {
            topics,
            say,
            ...(duration !== undefined && { duration }),
          }).record(interruption);
        } finally {
          await writer.close();
        }
        const counts = [...writer.counts].map(([topic, count]) => `${count} of ${topic}`);
        printLine(`${counts.length === 0 ? 'nothing' : counts.join(', ')} -> ${flags.out}`);
      });
    });
}
