// `ndconv check` and `ndconv plan`: everything short of running.

import type { Overrides } from '../../pipeline/resolve.ts';
import { checkPipeline } from '../../pipeline/run.ts';

export async function check(file: string, flags: Overrides): Promise<void> {
  const { name, steps } = await checkPipeline(file, flags);
  console.log(`${name}: ${steps.length} steps, nothing wrong`);
}

export async function plan(file: string, flags: Overrides): Promise<void> {
  const { steps, plans } = await checkPipeline(file, flags);
  for (const s of steps) {
    const p = plans.get(s.id)!;
    console.log(`${s.id} (${s.step.name})${s.needs.length > 0 ? ` from ${s.needs.join(', ')}` : ''}`);
    for (const line of p.lines ?? []) console.log(`  ${line}`);
    if (p.memory) console.log(`  memory ${(p.memory / 2 ** 20).toFixed(0)} MiB`);
  }
}
