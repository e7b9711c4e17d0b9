// `ndconv plan`: what a pipeline will do and what it will take, without running it.

import { checkPipeline, type StepTable } from '../../pipeline/index.ts';
import { formatBytes } from '../../pipeline/plan.ts';
import { outputFolder } from '../../pipeline/run.ts';
import { backendOf, type PipelineFlags } from '../flags.ts';
import { formatSeconds } from '../progress.ts';
import { paletteFor, printLine } from '../streams.ts';

export async function plan(file: string, flags: PipelineFlags, steps: StepTable): Promise<void> {
  const pipeline = await checkPipeline(file, {
    ...flags,
    backend: backendOf(flags),
    steps,
    target: { wide: true },
  });
  const { memory, seconds } = pipeline.plan;
  const described = pipeline.steps.map(({ id, step, needs }) => {
    const { outputs, memory, seconds, lines } = pipeline.plan.steps.get(id)!;
    return { id, uses: step.name, needs, outputs, memory, seconds, lines };
  });
  if (flags.json) {
    // Outputs hold whatever later checks want to know; kinds and shapes are for everyone.
    const shown = described.map(({ outputs, ...rest }) => ({
      ...rest,
      outputs: Object.fromEntries(
        Object.entries(outputs).map(([name, { kind, shape }]) => [name, { kind, shape }]),
      ),
    }));
    const { name, seed, backend } = pipeline;
    printLine(JSON.stringify({ event: 'plan', name, seed, backend, steps: shown, memory, seconds }));
    return;
  }
  const colours = paletteFor(process.stdout);
  printLine(
    `${colours.strong(pipeline.name)}  backend ${pipeline.backend}, seed ${pipeline.seed}, results in ${outputFolder(pipeline)}`,
  );
  for (const [i, one] of described.entries()) {
    const from = one.needs.length > 0 ? `  from ${one.needs.join(', ')}` : '';
    const uses = one.id === one.uses ? '' : ` (${one.uses})`;
    printLine(`${i + 1}. ${colours.strong(one.id)}${uses}${colours.faint(from)}`);
    for (const line of one.lines ?? []) printLine(`     ${line}`);
    const costs = [
      ...(one.memory ? [formatBytes(one.memory)] : []),
      ...(one.seconds ? [`about ${formatSeconds(one.seconds)}`] : []),
    ];
    if (costs.length > 0) printLine(colours.faint(`     ${costs.join(', ')}`));
  }
  const time = seconds > 0 ? `, about ${formatSeconds(seconds)}` : '';
  const during = memory.during ? ` (during ${memory.during})` : '';
  printLine(`at most ${formatBytes(memory.peak)} of memory${during}${time}`);
}
