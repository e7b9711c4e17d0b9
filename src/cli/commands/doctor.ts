// `ndconv doctor`: which backends there are, what each computed against the reference, and which one `auto` takes.

import { availableParallelism } from 'node:os';
import { type DoctorRow, doctor as examine } from '../../backends/doctor.ts';
import { availableMemory, formatBytes } from '../../pipeline/plan.ts';
import { readVersion } from '../../version.ts';
import { paletteFor, printLine } from '../streams.ts';
import { tableLines } from '../table.ts';

/** Largest difference from the reference, relative to the largest value, that rounding of float32 explains. */
const tolerance = 1e-4;

const isWrong = ({ error }: DoctorRow): boolean => error !== undefined && !(error <= tolerance);

/** Examines the backends; returns 1 where one that is there computes something wrong. */
export async function doctor({ json, wide }: { json?: boolean; wide: boolean }): Promise<number> {
  const { rows, auto, wide: widened } = await examine(wide);
  const wrong = rows.filter(isWrong);
  if (json) {
    const backends = rows.map(row => ({ ...row, right: row.available && !isWrong(row) }));
    printLine(
      JSON.stringify({
        event: 'doctor',
        version: readVersion(),
        node: process.versions.node,
        backends,
        auto,
        wide: widened,
      }),
    );
    return wrong.length > 0 ? 1 : 0;
  }
  const { strong, bad } = paletteFor(process.stdout);
  const cores = availableParallelism();
  printLine(
    `ndconv ${readVersion()}, Node ${process.versions.node}, ${process.platform} ${process.arch}, ` +
      `${cores} ${cores === 1 ? 'core' : 'cores'}, ${formatBytes(availableMemory())} of memory available\n`,
  );
  const cells = rows.map(row => [row.name, describeError(row), row.detail]);
  const heading = ['backend', 'difference from reference', 'what it is, or why it is not there'];
  for (const [i, line] of tableLines([heading, ...cells], process.stdout.columns).entries())
    printLine(i === 0 ? strong(line) : line);
  printLine(`\nauto takes ${strong(auto.name)}: ${auto.reason}`);
  printLine(`wide vectors ${strong(widened.used ? 'on' : 'off')}: ${widened.reason}`);
  if (widened.file) {
    const when = widened.remembered
      ? `the check passed on ${widened.remembered.slice(0, 10)}, and was repeated now`
      : 'nothing of this machine and version was known, and the check was made now';
    printLine(`  ${widened.file}: ${when}`);
  }
  for (const { name } of wrong)
    printLine(bad(`${name} computes something else than the reference: do not use it, and report this.`));
  return wrong.length > 0 ? 1 : 0;
}

function describeError(row: DoctorRow): string {
  if (!row.available) return 'not there';
  if (row.name === 'reference') return 'the reference itself';
  const error = row.error ?? Number.NaN;
  return `${error.toExponential(1)}, ${isWrong(row) ? 'WRONG' : 'right'}`;
}
