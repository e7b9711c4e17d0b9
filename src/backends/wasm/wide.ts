// V8's widening of pairs of 128-bit operations to 256 bits, an experimental flag of Node 24 and later: switched on only
// if kernels compiled with it compute what the reference computes, now or as remembered (wide-record.ts). A process is
// switched once.

import { setFlagsFromString } from 'node:v8';
import { debug } from '../../debug.ts';
import { assemble } from './assemble.ts';
import { compile } from './executable.ts';
import { mayWiden } from './features.ts';
import { renderPasses } from './rendered.ts';
import { samplePlan, selfCheck } from './self-check.ts';
import { Team } from './team.ts';
import { circumstances, recall, recordPath, remember } from './wide-record.ts';

let enabled: Promise<boolean> | undefined;

/**
 * Switches widening on; false where the engine lacks it or its results are wrong. `anew` checks them whatever is
 * remembered, if this process has not been switched yet.
 */
export function enableWide(anew = false): Promise<boolean> {
  enabled ??= mayWiden() ? tryWide(anew) : Promise.resolve(false);
  return enabled;
}

async function tryWide(anew: boolean): Promise<boolean> {
  const [path, now] = [recordPath(), circumstances()];
  const known = path !== undefined && now !== undefined;
  const passed = known && !anew ? await recall(path, now) : undefined;
  if (passed !== undefined) {
    setFlagsFromString('--experimental-wasm-revectorize');
    debug(1, () => [`wide vectors: right when checked at ${passed}, by ${path}`]);
    return true;
  }
  const right = await check();
  debug(1, () => [`wide vectors: checked, ${right ? 'right' : 'wrong'}`]);
  if (known) await remember(path, now, right);
  return right;
}

async function check(): Promise<boolean> {
  const target = { relaxed: true, wide: true };
  // The assembler is WebAssembly itself: used once before, so that the baseline compiler takes it, in a tenth of the time.
  for (const { text } of renderPasses(samplePlan(), target).renderings.values()) await assemble(text);
  setFlagsFromString('--experimental-wasm-revectorize');
  // The baseline compiler does not widen: check what the optimising one makes, as it will of the hot loops of long runs.
  setFlagsFromString('--no-liftoff');
  const team = await Team.start(1);
  const right = await selfCheck((plan, winograd) =>
    compile(plan, { ...target, winograd }, team, false),
  ).catch(() => false);
  setFlagsFromString('--liftoff');
  if (!right) setFlagsFromString('--no-experimental-wasm-revectorize');
  return right;
}
