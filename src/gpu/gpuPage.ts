import { problemsOf } from './gpuCheck';
import type { BundleFigures, GoldenError, GpuCheck, Placement } from './types';

/** Where everything runs that no other provider was asked to. */
const CPU = 'CPUExecutionProvider';

/** The check as one Markdown page that can be posted as it is. */
export function gpuPage(check: GpuCheck): string {
  const problems = problemsOf(check);
  const { bundle } = check;
  return [
    `# GPU check: ${check.provider}`,
    ...check.notices,
    problems.length === 0
      ? 'Nothing wrong was found.'
      : `**${problems.length} ${problems.length === 1 ? 'problem' : 'problems'}:**\n\n${problems.map((line) => `- ${line}`).join('\n')}`,
    table(['', ''], check.environment),
    '## Golden vectors',
    goldenText(check),
    '## Peak rates',
    'Products of large square matrices, and passes over a large tensor, through onnxruntime as a model is.',
    table(
      ['type', 'TFLOP/s', 'GB/s'],
      check.rates.map(({ type, product, copy, failed }) =>
        failed === undefined ? [type, number(product, 2), number(copy, 1)] : [type, failed, ''],
      ),
    ),
    `## ${bundle.name}`,
    'Medians in milliseconds, configurations chunk by chunk in turn. With CUDA the prefill is part of the expert.',
    table(
      ['precision', 'configuration', 'total', 'VAE', 'prefill', 'expert', 'speed-up'],
      bundle.figures.flatMap(({ precision, stages = [], failed }) =>
        failed === undefined
          ? stages.map((s) => [
              precision,
              s.configuration,
              ...[s.total, s.vae, s.prefill, s.expert].map((ms) => number(ms, 2)),
              `${s.speedUp.toFixed(2)}x`,
            ])
          : [[precision, failed, '', '', '', '', '']],
      ),
    ),
    table(
      ['precision', 'loaded in', 'weights', 'on the device', 'on the host', 'actions off by'],
      bundle.figures.map(({ precision, loadSeconds, memory, difference }) => [
        precision,
        loadSeconds === undefined ? '' : `${loadSeconds.toFixed(1)} s`,
        mebibytes(memory?.weights),
        mebibytes(memory?.device),
        mebibytes(memory?.host),
        difference === undefined ? '' : difference.toExponential(2),
      ]),
    ),
    '_On the host_: anonymous memory that loading added, which the page cache cannot drop. _Actions off by_: relative difference to the first precision.',
    '## One denoising step of the action expert',
    table(
      [
        'precision',
        'ms',
        'weights read at the peak rate',
        'products at the peak rate',
        'share of the larger',
      ],
      bundle.figures.map(stepRow),
    ),
    '## Where the nodes run',
    ...bundle.figures.flatMap(({ placement = [] }) => placement.map(placementText)),
    '',
  ].join('\n\n');
}

function goldenText(check: GpuCheck): string {
  if (check.goldenMissing !== undefined) return check.goldenMissing;
  const rows = [...grouped(check.golden)].map(([name, errors]) => {
    const worst = Math.max(...errors.map(({ error }) => error ?? Number.NaN));
    const failed = errors.filter(({ failed: why }) => why !== undefined).length;
    const decided = errors.flatMap(({ sameDecisions }) =>
      sameDecisions === undefined ? [] : [sameDecisions],
    );
    const same = decided.length === 0 ? '' : `${(100 * Math.min(...decided)).toFixed(1)} %`;
    return [
      ...name.split('\n'),
      `${errors.length - failed} of ${errors.length}`,
      worst.toExponential(2),
      same,
    ];
  });
  return [
    "Relative error of an episode's actions against the original PyTorch code in float32 (caches beyond C3ache: against their definitions on top of it).",
    table(['model', 'precision', 'policy', 'ran', 'largest error', 'same decisions'], rows),
  ].join('\n\n');
}

/** Errors by model, precision and policy, whatever its settings. */
function grouped(errors: readonly GoldenError[]): Map<string, GoldenError[]> {
  const groups = new Map<string, GoldenError[]>();
  for (const error of errors) {
    const key = [error.golden, error.precision, error.policy.split(/[ .,]/)[0] ?? ''].join('\n');
    groups.set(key, [...(groups.get(key) ?? []), error]);
  }
  return groups;
}

function stepRow({ precision, stepMilliseconds, bound }: BundleFigures): string[] {
  const larger = bound && Math.max(bound.memoryMilliseconds, bound.productMilliseconds);
  const share =
    larger === undefined || stepMilliseconds === undefined ? undefined : larger / stepMilliseconds;
  return [
    precision,
    number(stepMilliseconds, 3),
    number(bound?.memoryMilliseconds, 3),
    number(bound?.productMilliseconds, 3),
    share === undefined ? '' : `${(100 * share).toFixed(0)} %`,
  ];
}

function placementText({ graph, precision, nodes, onCpu, copies, perStep, longest }: Placement): string {
  const counted = (of: Readonly<Record<string, number>>): string =>
    Object.entries(of)
      .sort(([, a], [, b]) => b - a)
      .map(([name, count]) => `${name} ${count}`)
      .join(', ') || 'none';
  return [
    `### ${graph}, ${precision}`,
    [
      `- nodes of one run: ${counted(nodes)}`,
      ...(CPU in nodes && Object.keys(nodes).length === 1
        ? []
        : [`- of these on the CPU: ${counted(onCpu)}`]),
      `- copies between host and device: ${copies}`,
      ...(perStep === undefined
        ? []
        : [
            `- one more step: ${perStep.kernels.toFixed(0)} kernels, ${perStep.onCpu.toFixed(0)} nodes on the CPU, ${perStep.copies.toFixed(0)} copies`,
          ]),
    ].join('\n'),
    'Longest by the time the host spent on them:',
    table(
      ['node', 'operator', 'provider', 'µs'],
      longest.map(({ name, op, provider, microseconds }) => [
        `\`${name}\``,
        op,
        provider,
        microseconds.toFixed(0),
      ]),
    ),
  ].join('\n\n');
}

const number = (value: number | undefined, digits: number): string =>
  value === undefined ? '' : value.toFixed(digits);

const mebibytes = (value: number | undefined): string =>
  value === undefined ? '' : `${value.toFixed(0)} MiB`;

/** A Markdown table; cells may hold anything but line breaks. */
function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replace(/\|/g, '\\|').replace(/\s*\n\s*/g, ' ')).join(' | ')} |`;
  return [line(header), line(header.map(() => '---')), ...rows.map(line)].join('\n');
}
