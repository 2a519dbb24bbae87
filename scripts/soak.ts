/**
 * An accelerated hour of the policy node on the table-top model, then clean exits at random moments.
 * Run it with: npm run ros -- npm run soak [-- MINUTES [SPEED [SEED [DISTURBANCES]]]]
 *
 * With names of disturbances, separated by semicolons, only these happen, and the node is not ended again and again:
 * that shows which of them costs what. `none` leaves the node to itself.
 */
import { removeFolders, temporaryFolder } from '../test/helpers';
import { MOMENTS, cleanExits } from '../test/ros/cleanExits';
import { soak } from '../test/ros/soak';
import type { SoakReport } from '../test/ros/soak';
import { exportTabletop } from '../test/ros/tabletopBundle';

/** of each signal at each moment */
const EXITS = 7;
const print = (line: string): void => void process.stdout.write(`${line}\n`);

/** Median resident memory between two times, MiB. */
function memoryBetween({ memory }: SoakReport, from: number, to: number): number {
  const values = memory.filter(({ seconds }) => seconds >= from && seconds <= to).map(({ mib }) => mib);
  return values.sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}

async function main(minutes: number, speed: number, seed: number, only?: readonly string[]): Promise<void> {
  const folder = temporaryFolder();
  const bundle = exportTabletop(folder);
  const report = await soak({
    bundle,
    folder,
    seconds: minutes * 60,
    speed,
    seed,
    say: print,
    ...(only && { only }),
  });
  const { seconds, robotSeconds, chunks, episodes, faults, disturbances, exit } = report;
  print(`${(seconds / 60).toFixed(1)} min, ${(robotSeconds / 3600).toFixed(2)} h of the robot's time`);
  print(
    `${chunks} chunks in ${episodes} episodes; numbers lost, duplicated or settings mixed: ${faults.length}`,
  );
  for (const fault of faults.slice(0, 20)) print(`  ${fault}`);
  print(
    Object.entries(disturbances)
      .map(([name, count]) => `${name} ${count}`)
      .join(', '),
  );
  const windows = [[50, 70], ...[2, 4, 6, 8].map((m) => [m * 60 - 10, m * 60 + 10]), [seconds - 20, seconds]];
  for (const [from = 0, to = 0] of windows.filter(([, to = 0]) => to <= seconds))
    print(
      `resident memory around ${((from + to) / 2).toFixed(0)} s: ${memoryBetween(report, from, to).toFixed(1)} MiB`,
    );
  print(
    `growth since the first minute: ${(memoryBetween(report, seconds - 20, seconds) - memoryBetween(report, 50, 70)).toFixed(1)} MiB`,
  );
  print(`ended by SIGTERM with code ${exit.code}, signal ${exit.signal}`);

  if (only) return;
  const trials = Array.from({ length: EXITS }, () =>
    MOMENTS.flatMap((moment) => (['SIGINT', 'SIGTERM'] as const).map((signal) => [moment, signal] as const)),
  ).flat();
  const exits = await cleanExits({ bundle, folder, trials, spread: 400, random: Math.random });
  for (const moment of MOMENTS) {
    const some = exits.filter((one) => one.moment === moment);
    const longest = Math.max(...some.map((one) => one.seconds));
    const unclean = some.flatMap((one) => (one.fault === undefined ? [] : [`${one.signal}: ${one.fault}`]));
    print(
      `${some.length} exits while ${moment}: ${unclean.length} not clean, the slowest took ${longest.toFixed(2)} s`,
    );
    for (const fault of unclean) print(`  ${fault}`);
  }
  if (faults.length > 0 || exit.code !== 0 || exits.some(({ fault }) => fault !== undefined))
    process.exitCode = 1;
}

const [minutes = '10', speed = '6', seed = '1', only] = process.argv.slice(2);
main(Number(minutes), Number(speed), Number(seed), only?.split(';'))
  .catch((error: unknown) => {
    process.stderr.write(`${String(error)}\n`);
    process.exitCode = 1;
  })
  .finally(removeFolders);
