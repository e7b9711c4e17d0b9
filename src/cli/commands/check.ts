// `ndconv check`: everything that can be found wrong with a pipeline without running it.

import { checkPipeline, type StepTable } from '../../pipeline/index.ts';
import { backendOf, type PipelineFlags } from '../flags.ts';
import { printLine } from '../streams.ts';

export async function check(file: string, flags: PipelineFlags, steps: StepTable): Promise<void> {
  const { name, steps: resolved } = await checkPipeline(file, {
    ...flags,
    backend: backendOf(flags),
    steps,
    target: { wide: true, rough: true },
  });
  const ids = resolved.map(({ id }) => id);
  if (flags.json) printLine(JSON.stringify({ event: 'checked', name, steps: ids }));
  else
    printLine(
      `${name}: nothing wrong; ${ids.length === 1 ? '1 step' : `${ids.length} steps`}: ${ids.join(' → ')}`,
    );
}
