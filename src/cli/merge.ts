import { join } from 'node:path';
import type { Command } from 'commander';
import { InputError } from '../errors';
import { lockFolder } from '../formats/folderLock';
import { makeOutputFolder } from '../formats/outputFolder';
import { writeText } from '../formats/writeAtomically';
import { recommended, simulationFront } from '../report/simulation/Simulation';
import { simulationText } from '../report/simulation/simulationText';
import { writeSimulationReport } from '../report/simulation/writeSimulationReport';
import { episodeLogText } from '../sim/EpisodeLog';
import { configurationOfDefinition } from '../sim/episodeRecord';
import { mergeShards, missingSentence } from '../sim/mergeShards';
import type { MergedRun } from '../sim/mergeShards';
import { EPISODES_NAME } from '../sim/simulate';
import { simulationFigures } from '../sim/simulationFigures';
import { print, printLine } from '../terminal';

/** `fastwam merge` */
export function mergeCommand(program: Command): Command {
  return program
    .command('merge')
    .description('put the shards of a simulation together, into the report of the whole')
    .argument('<folders...>', 'folders that simulate --shard has written, or merge itself')
    .requiredOption('--out <dir>', 'folder for episodes.jsonl, report.html, metrics.json and tables.md')
    .action(async (folders: readonly string[], { out }: { readonly out: string }) => {
      const merged = mergeShards(folders.map((folder) => join(folder, EPISODES_NAME)));
      makeOutputFolder(out);
      const release = lockFolder(out);
      try {
        await write(merged, out);
      } finally {
        release();
      }
      const missing = missingSentence(merged);
      if (missing !== undefined) throw new InputError(missing);
    });
}

async function write(merged: MergedRun, out: string): Promise<void> {
  const { run, part, records } = merged;
  writeText(join(out, EPISODES_NAME), episodeLogText(merged));
  const figures = simulationFigures(merged.configurations.map(configurationOfDefinition), records);
  const choice = recommended(figures)?.configuration.name;
  const summary = { figures, pareto: simulationFront(figures), ...(choice !== undefined && { choice }) };
  print(simulationText(summary));
  if (figures.episodes === 0) return;
  const files = await writeSimulationReport(out, {
    ...summary,
    records,
    exhibits: [],
    origin: {
      command: ['fastwam', ...process.argv.slice(2)],
      startedAt: new Date().toISOString(),
      model: { name: 'merged shards', facts: [['fingerprint', run.model]] },
      world: [
        ['world', `${run.speed}, ${run.condition}`],
        ['seed', String(run.seed)],
        ['noise', `${run.noise}, seed ${run.noise_seed}`],
        ['episodes of the run', String(part.episodes.length)],
      ],
      machine: part.machines.map((machine, i) => [`machine ${i + 1}`, machine]),
      versions: Object.entries(part.engine),
    },
  });
  print('\n');
  printLine(`report: ${files.page}`);
}
