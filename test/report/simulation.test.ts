import { describe, expect, it } from 'vitest';
import type { Configuration } from '../../src/cache/choice';
import { EPISODE_COLUMNS, episodesCsv } from '../../src/report/simulation/episodesCsv';
import { recommended, simulationFront, type Simulation } from '../../src/report/simulation/Simulation';
import { simulationJson } from '../../src/report/simulation/simulationJson';
import { simulationMarkdown } from '../../src/report/simulation/simulationMarkdown';
import { simulationPage } from '../../src/report/simulation/simulationPage';
import { simulationText } from '../../src/report/simulation/simulationText';
import type { EpisodeRecord } from '../../src/sim/episodeRecord';
import { simulationFigures } from '../../src/sim/simulationFigures';

const CONFIGURATIONS: readonly Configuration[] = [
  { name: 'none', policy: 'none', values: {}, companions: {} },
  { name: 'good', policy: 'c3ache', values: { range: [0, 6] }, companions: {} },
  { name: 'bad', policy: 'c3ache', values: { range: [0, 9] }, companions: {} },
  { name: 'hopeless', policy: 'c3ache', values: { range: [0, 9] }, companions: {} },
];

/** 50 episodes; `good` fails one of them, `bad` 40 and `hopeless` all; a chunk takes 10, 5, 4 and 3 ms. */
const RECORDS = CONFIGURATIONS.flatMap(({ name }, c) =>
  Array.from({ length: 50 }, (_, episode): EpisodeRecord => ({
    configuration: name,
    episode,
    task: 4,
    suite: 'object',
    success: episode >= [0, 1, 40, 50][c]!,
    steps: 20,
    disturbances: 0,
    refreshes: 'Fr',
    reasons: { first_chunk: 1 },
    stacks: [10, 3],
    ms: [10 - 5 * Math.min(c, 1) - Math.max(0, c - 1), 10 - 5 * Math.min(c, 1) - Math.max(0, c - 1)],
  })),
);

function simulation(rest: Partial<Simulation> = {}): Simulation {
  const figures = simulationFigures(CONFIGURATIONS, RECORDS);
  return {
    figures,
    records: RECORDS,
    pareto: simulationFront(figures),
    choice: 'good',
    exhibits: [],
    origin: {
      command: ['fastwam', 'simulate', '--bundle', 'my bundle'],
      startedAt: '2026-01-02T03:04:05.000Z',
      model: { name: 'tabletop', facts: [] },
      world: [['seed', '0']],
      machine: [],
      versions: [],
    },
    ...rest,
  };
}

describe('The report of simulated episodes', () => {
  it('recommends the fastest configuration that loses at most two points', () => {
    const { figures } = simulation();
    expect(recommended(figures)?.configuration.name).toBe('good');
    expect(recommended(simulationFigures(CONFIGURATIONS.slice(0, 1), RECORDS))).toBeUndefined();
  });

  it('recommends nothing from fewer than 30 episodes, and says so', () => {
    const few = simulationFigures(
      CONFIGURATIONS,
      RECORDS.filter(({ episode }) => episode < 29),
    );
    expect(recommended(few)).toBeUndefined();
    expect(simulationText({ figures: few, pareto: [] })).toContain(
      'Too few episodes to recommend a configuration',
    );
    const enough = simulationFigures(
      CONFIGURATIONS,
      RECORDS.filter(({ episode }) => episode >= 20),
    );
    expect(recommended(enough)?.configuration.name).toBe('good');
  });

  it('says that success cannot be told apart where the interval of the difference holds 0', () => {
    // `good` fails one of 50 that the uncached run solves: the bootstrap interval of that ends at 0.
    expect(simulationText(simulation())).toContain(
      'its success cannot be told apart from the uncached one (−2.0 (',
    );
    const worse = {
      ...simulation().figures.configurations[1]!,
      difference: { value: -0.02, low: -0.03, high: -0.01 },
    };
    const figures = {
      ...simulation().figures,
      configurations: [simulation().figures.configurations[0]!, worse],
    };
    expect(simulationText({ figures, pareto: [], choice: 'good' })).toContain(
      'is good: −2.0 (−3.0, −1.0) points, ',
    );
  });

  it('leaves what never succeeds off the Pareto front', () => {
    expect(simulation().pareto).toEqual(['none', 'good', 'bad']);
  });

  it('prints a table and the verdict', () => {
    const text = simulationText(simulation());
    // 49 of 50: Wilson 95 % is 89.5 to 99.6 %
    expect(text).toMatch(/good +98\.0 \(89\.5–99\.6\) +−2\.0 \(.*\) +2\.00× +2\.00× +●/);
    expect(text).toContain('The fastest configuration that loses at most 2 points is good');
    // It halves the time and saves no work, which only a disturbed machine can do.
    expect(text).toContain('something else slowed the machine at times');
  });

  it('escapes names, and neither loads nor runs anything', () => {
    const name = '<script>alert(1)</script>';
    const page = simulationPage(
      simulation({ origin: { ...simulation().origin, model: { name, facts: [['a', name]] } } }),
    );
    expect(page).not.toContain(name);
    expect(page).toContain('&lt;script&gt;alert(1)');
    expect(page).toContain("default-src 'none'");
    expect(page.match(/<script/g)).toHaveLength(1);
    expect(page).toContain('fastwam simulate --bundle &#39;my bundle&#39;');
    expect(page).not.toMatch(/NaN|undefined|Infinity/);
  });

  it('keeps the name of the fastest configuration inside its plot', () => {
    const name = 'c3ache R=4 [0,6]';
    const configurations = [CONFIGURATIONS[0]!, { ...CONFIGURATIONS[1]!, name }];
    const records = RECORDS.map((one) =>
      one.configuration === 'good' ? { ...one, configuration: name } : one,
    );
    const figures = simulationFigures(configurations, records);
    const page = simulationPage(
      simulation({ figures, records, pareto: simulationFront(figures), choice: name }),
    );
    const [, width] = /<svg[^>]*viewBox="0 0 (\d+) 420"/.exec(page)!;
    const [, x, label] = /<text class="label strong" x="([\d.]+)"[^>]*>([^<]+)</.exec(page)!;
    expect(label).toBe(`2 ${name}`);
    expect(Number(x) + 8 * label!.length).toBeLessThan(Number(width));
    expect(Number(x)).toBeGreaterThan(0);
  });

  it('has figures for programs, with null where there is none', () => {
    const json = JSON.parse(JSON.stringify(simulationJson(simulation()))) as {
      configurations: {
        name: string;
        success: number[];
        difference: number[] | null;
        steps_to_success: number | null;
      }[];
    };
    expect(json.configurations[0]).toMatchObject({ name: 'none', difference: null, steps_to_success: 20 });
    expect(json.configurations[1]!.success[0]).toBe(0.98);
    expect(json.configurations[3]!.steps_to_success).toBeNull();
  });

  it('writes one line for each episode, quoting what holds a comma', () => {
    const csv = episodesCsv([{ ...RECORDS[0]!, configuration: 'c3ache R=4 [0,6]' }]);
    const [head, row] = csv.split('\r\n');
    expect(head!.split(',')).toHaveLength(EPISODE_COLUMNS.length);
    expect(row).toBe('"c3ache R=4 [0,6]",0,object,4,1,20,2,Fr,13,20,0');
  });

  it('has tables for documents: success, cost, and success by length', () => {
    const [count, success, cost, byLength] = simulationMarkdown(simulation().figures).split('\n\n');
    expect(count).toBe('50 episodes a row, the same ones.');
    // good: 49 of 50; its chunks take half the time, and as many stacks as those of none here
    expect(success!.split('\n').slice(0, 4)).toEqual([
      '| configuration | object | all | difference, points |',
      '| --- | ---: | ---: | ---: |',
      '| none | 100.0 | 100.0 (92.9–100.0) | – |',
      expect.stringMatching(/^\| good \| 98\.0 \| 98\.0 \(89\.5–99\.6\) \| −2\.0 \(/),
    ]);
    expect(cost!.split('\n')[3]).toBe(
      '| good | 2.0 | 1.00× | 6.50 | 13.0 | 0 % | 2.00× | 2.00× (2.00–2.00) |',
    );
    // all episodes are of one length, so there is nothing to compare by it
    expect(byLength).toBeUndefined();
  });

  it('escapes bars in its tables for documents', () => {
    const name = 'a|b';
    const records = RECORDS.filter(({ configuration }) => configuration === 'none');
    const figures = simulationFigures(
      [{ ...CONFIGURATIONS[0]!, name }],
      records.map((record) => ({ ...record, configuration: name })),
    );
    expect(simulationMarkdown(figures)).toContain('| a\\|b |');
  });
});
