import { join } from 'node:path';
import type { Command } from 'commander';
import sharp from 'sharp';
import { openBag } from '../bag/openBag';
import { surveyBag } from '../bag/survey';
import type { BagSurvey, SurveyedTopic } from '../bag/survey';
import { READABLE_ENCODINGS } from '../bag/types';
import { makeOutputFolder } from '../formats/outputFolder';
import { plainText } from '../plainText';
import { ProgressBar } from '../report/ProgressBar';
import { print, printJson, progressStream, say } from '../terminal';
import { interruptible } from './interruption';
import type { Interruptible } from './interruption';

interface BagFlags {
  readonly pictures?: string;
  readonly json?: boolean;
}

/** Names that one line lists. */
const MOST_NAMES = 40;

/** `fastwam bag` */
export function bagCommand(program: Command): Command {
  return program
    .command('bag')
    .description('show what a recording holds: topics, rates, gaps, joints by name, cameras by size, tasks')
    .argument('<recording>', 'rosbag2 folder or file (MCAP, SQLite3), or a LeRobot dataset')
    .option('--pictures <dir>', 'write the first picture of every camera there, as PNG')
    .option('--json', 'print the findings as JSON')
    .action(async (path: string, flags: BagFlags) => {
      if (flags.pictures !== undefined) makeOutputFolder(flags.pictures);
      const written: string[] = [];
      const { pictures: folder } = flags;
      await interruptible(async (interruption) => {
        const survey = await surveyRecording(path, interruption, {
          ...(folder !== undefined && {
            onPicture: async (topic, { width, height, data }) => {
              const file = join(folder, `${topic.replace(/^\//, '').replace(/[^A-Za-z0-9_]+/g, '_')}.png`);
              await sharp(data, { raw: { width, height, channels: 3 } })
                .png()
                .toFile(file);
              written.push(file);
            },
          }),
        });
        if (flags.json) printJson(survey, 2);
        else print(described(survey));
        for (const file of written) say(`picture: ${file}`);
        interruption.throwIfInterrupted('what is shown is of the part that was read');
      });
    });
}

/** Surveys a recording with a progress bar; an interruption ends it early with what was found. */
export async function surveyRecording(
  path: string,
  { signal }: Pick<Interruptible, 'signal'>,
  options: Pick<NonNullable<Parameters<typeof surveyBag>[1]>, 'onPicture'> = {},
): Promise<BagSurvey> {
  const bag = await openBag(path, { signal });
  const bar = new ProgressBar({ stream: progressStream, label: 'reading', total: 100 });
  try {
    return await surveyBag(bag, {
      ...options,
      signal,
      onProgress: (share) => bar.update(Math.floor(share * 100)),
    });
  } finally {
    bar.finish();
    await bag.close();
  }
}

/** The findings as text for a terminal. */
export function described(survey: BagSurvey): string {
  const lines = [
    `${survey.path}: ${survey.storage}, ${survey.length.toFixed(2)} s, ${survey.topics.length} topics`,
    '',
  ];
  const width = Math.max(0, ...survey.topics.map(({ name }) => name.length));
  for (const topic of [...survey.topics].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    lines.push(`${topic.name.padEnd(width)}  ${topic.type}  ${flow(topic, survey.storage)}`);
    for (const detail of details(topic)) lines.push(`${' '.repeat(width)}    ${detail}`);
  }
  for (const warning of survey.warnings) lines.push(`warning: ${warning}`);
  return `${lines.map(plainText).join('\n')}\n`;
}

function flow({ count, rate, longestGap }: SurveyedTopic, storage: string): string {
  const parts = [`${count} messages`];
  if (rate !== undefined) parts.push(`${rate < 10 ? rate.toFixed(2) : rate.toFixed(1)} Hz`);
  // A gap is worth saying where it is not just the next message, nor what lies between the episodes of a dataset.
  if (
    storage !== 'lerobot' &&
    longestGap !== undefined &&
    rate !== undefined &&
    longestGap.seconds > 2.5 / rate
  )
    parts.push(`longest gap ${longestGap.seconds.toFixed(2)} s at ${longestGap.at.toFixed(2)} s`);
  return parts.join(', ');
}

function details({ joints, elements, texts, picture, problem, encoding }: SurveyedTopic): readonly string[] {
  return [
    ...(picture === undefined ? [] : [`pictures ${picture.width}x${picture.height}, ${picture.encoding}`]),
    ...joints.map((names) => `${names.length} joints: ${listed(names)}`),
    ...(elements === undefined ? [] : [`${elements} values`]),
    ...texts.map((text) => `text: ${JSON.stringify(text)}`),
    ...(problem === undefined ? [] : [`cannot be used: ${problem}`]),
    ...(READABLE_ENCODINGS.includes(encoding) ? [] : [`encoded as ${encoding}, which cannot be read`]),
  ];
}

function listed(names: readonly string[]): string {
  const more = names.length > MOST_NAMES ? `, and ${names.length - MOST_NAMES} more` : '';
  return `${names.slice(0, MOST_NAMES).join(', ')}${more}`;
}
