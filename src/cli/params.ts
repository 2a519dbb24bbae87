import type { Command } from 'commander';
import { suggestedParams } from '../bag/suggestedParams';
import { suggestMapping } from '../bag/suggestMapping';
import { Bundle } from '../bundle/Bundle';
import { FileFormatError } from '../errors';
import { writeAtomically } from '../formats/writeAtomically';
import { print, say } from '../terminal';
import { surveyRecording } from './bag';
import { interruptible } from './interruption';

interface ParamsFlags {
  readonly bundle: string;
  readonly out?: string;
}

/** `fastwam params` */
export function paramsCommand(program: Command): Command {
  return program
    .command('params')
    .description('write the params file that maps the topics of a recording to the inputs of a bundle')
    .argument('<recording>', 'rosbag2 folder or file (MCAP, SQLite3), or a LeRobot dataset')
    .requiredOption('--bundle <dir>', 'a bundle')
    .option('--out <file>', 'write there (default: print)')
    .action(async (path: string, { bundle: folder, out }: ParamsFlags) => {
      const { manifest } = Bundle.open(folder);
      const survey = await interruptible(async (interruption) => {
        const found = await surveyRecording(path, interruption);
        interruption.throwIfInterrupted('no params file was written');
        return found;
      });
      if (survey.topics.every(({ count }) => count === 0))
        throw new FileFormatError(path, 'has no messages, so there is nothing to map');
      const mapping = suggestMapping(survey, manifest);
      const text = suggestedParams(survey, manifest, mapping, folder);
      if (out === undefined) print(text);
      else writeAtomically(out, (sink) => sink.write(Buffer.from(text)));
      for (const question of mapping.questions) say(`open: ${question}`);
      for (const warning of survey.warnings) say(`warning: ${warning}`);
    });
}
