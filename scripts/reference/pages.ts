import { join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { POLICIES } from '../../src/cache/registry';
import { settingsDocument } from '../../src/cache/settingsTable';
import { EXECUTOR_PROBLEMS } from '../../src/ros/executor/executorProblems';
import { problemTable } from '../../src/ros/node/problemTable';
import { POLICY_PROBLEMS } from '../../src/ros/policy/policyProblems';
import { ROBOT_PROBLEMS } from '../../src/ros/robot/robotProblems';
import { NOMINAL_MODEL } from '../../src/settings/Parameter';
import { commandPage } from './commandPage';
import { filePage } from './filePage';
import { messagePage } from './messagePage';
import { parameterPage } from './parameterPage';

/** The first line of a page that is written by `npm run reference`. */
export const GENERATED = '<!-- written by `npm run reference` from the code; change it there -->';

const FOLDER = join(__dirname, '..', '..', 'docs', 'reference');

const diagnosticsPage = () => `# Diagnostics: what goes wrong, and where it shows

Each problem is a warning in the log (a repeated one is not repeated at once) and counted in \`/diagnostics\`, in the status
named here. Why a source is refused and what then happens: [Time and motion](../explanation/time-and-motion.md#what-is-refused).

## Policy node

${problemTable(POLICY_PROBLEMS)}

## Action executor

${problemTable(EXECUTOR_PROBLEMS)}

## Simulated robot

${problemTable(ROBOT_PROBLEMS)}
`;

const PAGES: Readonly<Record<string, () => string>> = {
  'cache-settings.md': () => settingsDocument(POLICIES, NOMINAL_MODEL),
  'commands.md': commandPage,
  'diagnostics.md': diagnosticsPage,
  'files.md': filePage,
  'messages.md': messagePage,
  'parameters.md': parameterPage,
};

/** Every generated page of the reference as it is to stand in its file, by the file's path. */
export async function referencePages(): Promise<ReadonlyMap<string, string>> {
  const pages = new Map<string, string>();
  for (const [name, page] of Object.entries(PAGES)) {
    const path = join(FOLDER, name);
    const options = { ...(await resolveConfig(path)), parser: 'markdown' };
    pages.set(path, await format(`${GENERATED}\n\n${page()}`, options));
  }
  return pages;
}
