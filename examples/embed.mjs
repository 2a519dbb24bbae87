// The engine in a program of your own: observations of a recording become chunks, with C3ache, and chunks become commands.
//
//   node examples/embed.mjs BUNDLE RECORDING PARAMS_FILE
import { ChunkExecutor, PolicyClient, commandDimensions, readChoices, recordedChunks } from 'fast-wam-policy';

const [bundle, recording, params] = process.argv.slice(2);
const client = await PolicyClient.load(bundle, { execution: { threads: 1 } });
const { actions, control } = client.bundle.manifest;
const [choice] = readChoices({ policies: ['c3ache'], texts: ['refresh_interval=4', 'range=0:6'] });
const settings = { ...choice, noise: 'fixed', seed: 42 };
const period = 1 / control.rate;
const dimensions = commandDimensions(actions);
const executor = new ChunkExecutor({ dimensions, period, blendSteps: 2, deadline: 1, limitPolicy: 'clamp' });
const episode = await client.createEpisode();
for await (const { observation } of recordedChunks({ bags: [recording], params, limit: 5 }, client.bundle)) {
  const { stamp, chunk, report, ...made } = await episode.infer(observation, settings);
  executor.accept({ stamp, period, replanSteps: control.replan_steps, actions: made.actions }, stamp);
  const { values } = executor.command(stamp + period);
  console.log(
    `chunk ${chunk}: ${report.stackEvaluations} stacks, command ${[...values].map((x) => x.toFixed(3))}`,
  );
}
await client.close();
