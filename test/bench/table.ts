// The results of a run as a page of Markdown: by number of threads and group, what ndconv takes and how many times as long
// the others do.

import { type Name, names } from './peers.ts';

/** One task on a number of threads. */
export interface Row {
  task: string;
  group: string;
  threads: number;
  /** Median milliseconds, spread (largest over smallest) and most bytes held by the process, by engine. */
  engines: Record<string, { milliseconds: number; spread: number; gflops: number; peak: number }>;
}

/** Markdown, with the machine and the versions. */
export function table(rows: readonly Row[], machine: string, versions: ReadonlyMap<string, string>): string {
  const engines = [...versions].map(([name, version]) => (version === name ? name : `${name}: ${version}`));
  const text = [
    '# ndconv beside other engines',
    '',
    'Made by `npm run bench -- --table kernels/bench.md --json kernels/bench.json`.',
    '',
    `${machine}. ${engines.join('; ')}.`,
    '',
    'Times and GFLOP/s (counted as direct convolution) are those of ndconv, with half the spread of its times; the other',
    'columns say how many times as long the engine takes: over 1, ndconv is faster. PyTorch runs with an allocator that keeps',
    'what was freed (glibc tunables); without that it takes up to six times as long where pages are dear.',
  ];
  for (const threads of new Set(rows.map(row => row.threads))) {
    const own = rows.filter(row => row.threads === threads && row.engines.ndconv);
    const there = names.filter(name => name !== 'ndconv' && own.some(row => row.engines[name]));
    if (own.length === 0) continue;
    text.push(
      '',
      `| ${threads} thread${threads === 1 ? '' : 's'} | ndconv | GFLOP/s | ${there.join(' | ')} |`,
      `|---|${'---:|'.repeat(there.length + 2)}`,
    );
    for (const group of new Set(own.map(row => row.group))) {
      const members = own.filter(row => row.group === group);
      text.push(...members.map(row => line(row, there)));
      if (members.length > 1) text.push(meanOf(group, members, there));
    }
    const steps = own.filter(row => row.group === 'steps' && row.engines.PyTorch);
    if (steps.length > 0) {
      text.push('', '| most memory of the process | ndconv | PyTorch | ratio |', '|---|---:|---:|---:|');
      for (const { task, engines } of steps) {
        const [a, b] = [engines.ndconv.peak, engines.PyTorch.peak];
        text.push(`| ${task} | ${mega(a)} | ${mega(b)} | ${(a / b).toFixed(2)} |`);
      }
    }
  }
  return `${text.join('\n')}\n`;
}

const ratioOf = (row: Row, name: Name): number | undefined =>
  row.engines[name] && row.engines[name].milliseconds / row.engines.ndconv.milliseconds;

const shown = (ratio: number | undefined): string => {
  if (ratio === undefined) return '–';
  return ratio < 10 ? ratio.toFixed(2) : ratio.toFixed(0);
};

function line(row: Row, there: readonly Name[]): string {
  const { milliseconds, spread, gflops } = row.engines.ndconv;
  const time = `${milliseconds.toPrecision(3)} ms ±${((spread - 1) * 50).toFixed(0)} %`;
  return `| ${row.task} | ${time} | ${gflops.toFixed(0)} | ${there.map(name => shown(ratioOf(row, name))).join(' | ')} |`;
}

function meanOf(group: string, rows: readonly Row[], there: readonly Name[]): string {
  const cells = there.map(name => {
    const ratios = rows.flatMap(row => ratioOf(row, name) ?? []);
    const logs = ratios.reduce((sum, ratio) => sum + Math.log(ratio), 0);
    return ratios.length > 0 ? `**${shown(Math.exp(logs / ratios.length))}**` : '–';
  });
  return `| **${group}**, geometric mean | | | ${cells.join(' | ')} |`;
}

const mega = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(0)} MiB`;
