import { stringify } from 'yaml';
import { plainText } from '../plainText';
import type { BundleManifest } from '../bundle/schema';
import type { BagSurvey } from './survey';
import type { Certainty, SuggestedMapping, SuggestedVector } from './suggestMapping';

/** Marks of a line that somebody should look at. */
const GUESS = 'GUESS';
const OPEN = 'OPEN';

/**
 * A params file for the node and for replay, from what a recording has. Guesses and open questions are comments that
 * begin with GUESS and OPEN.
 *
 * @param bundle the bundle's folder, for the heading
 */
export function suggestedParams(
  survey: BagSurvey,
  manifest: BundleManifest,
  mapping: SuggestedMapping,
  bundle: string,
): string {
  const { cameras, proprio, commands, instruction, instructionTopic, questions, remarks } = mapping;
  const guesses = [
    ...cameras,
    ...proprio,
    ...(commands ? [commands] : []),
    ...(instruction ? [instruction] : []),
  ];
  const count = guesses.filter(({ certainty }) => certainty === 'guess').length;
  const lines = [
    comment(`Topics of ${survey.path} for the bundle ${manifest.name}, suggested by fastwam params.`),
    comment(
      count + questions.length === 0
        ? 'Everything was found by name.'
        : `${count} guesses (${GUESS}) and ${questions.length} open questions (${OPEN}): look at each before a robot moves by it.`,
    ),
    comment(''),
    comment(`    fastwam replay ${survey.path} --bundle ${bundle} --params THIS_FILE`),
    ...questions.map((question) => comment(`${OPEN}: ${question}`)),
    '/**:',
    '  ros__parameters:',
  ];
  const add = (indent: number, text: string): void => void lines.push(`${' '.repeat(4 + indent)}${text}`);
  const notes = (indent: number, { certainty, notes: own }: Noted): void => {
    const marked =
      certainty === 'guess' ? [`${GUESS}${own[0] === undefined ? '' : `: ${own[0]}`}`, ...own.slice(1)] : own;
    for (const note of marked) add(indent, comment(note));
  };
  if (cameras.length > 0) add(0, 'cameras:');
  for (const camera of cameras) {
    notes(2, camera);
    add(2, `${scalar(camera.name)}:`);
    add(4, `topic: ${scalar(camera.topic)}`);
    add(4, `transport: ${camera.transport}`);
  }
  if (proprio.length > 0) {
    add(0, '');
    add(0, 'proprio:');
    add(2, comment('Names of the sources below, in the order in which the policy takes their numbers.'));
    add(2, `sources: [${proprio.map(({ name }) => scalar(name)).join(', ')}]`);
    for (const source of proprio) {
      notes(2, source);
      add(2, `${scalar(source.name)}:`);
      addVector(4, source, add);
    }
  }
  add(0, '');
  if (instructionTopic !== undefined) {
    add(0, comment('A change starts a new episode.'));
    add(0, `instruction_topic: ${scalar(instructionTopic)}`);
  } else if (instruction !== undefined) {
    notes(0, {
      certainty: instruction.certainty,
      notes: [
        'the recording has no topic with the task',
        ...(instruction.certainty === 'guess'
          ? [`the bundle also knows: ${manifest.instructions.slice(1, 6).join(' | ')}`]
          : []),
      ],
    });
    add(0, `instruction: ${scalar(instruction.text)}`);
  }
  if (commands !== undefined) {
    add(0, '');
    add(0, comment('What the recording has executed; replay compares with it, the node does not read it.'));
    notes(0, commands);
    add(0, 'commands:');
    addVector(2, commands, add);
  }
  for (const remark of remarks) add(0, comment(remark));
  add(0, '');
  add(0, 'control:');
  add(2, `rate: ${decimal(manifest.control.rate)}`);
  add(2, `replan_steps: ${manifest.control.replan_steps}`);
  return `${lines.map((line) => line.trimEnd()).join('\n')}\n`;
}

interface Noted {
  readonly certainty: Certainty;
  readonly notes: readonly string[];
}

function addVector(
  indent: number,
  { topic, type, joints }: SuggestedVector,
  add: (indent: number, text: string) => void,
): void {
  add(indent, `topic: ${scalar(topic)}`);
  add(indent, `type: ${type}`);
  if (joints.length === 0) return;
  add(indent, 'joints:');
  for (const joint of joints) add(indent + 2, `- ${scalar(joint)}`);
}

function comment(text: string): string {
  return `# ${plainText(text)}`;
}

/** A text as YAML writes it on one line. */
function scalar(text: string): string {
  return stringify(text, { lineWidth: 0 }).trim();
}

/** ROS tells a double by its point. */
function decimal(value: number): string {
  return Number.isInteger(value) ? value.toFixed(1) : String(value);
}
