// V8's widening of pairs of 128-bit operations to 256 bits, an experimental flag of Node 24 and later: switched on only
// if kernels compiled with it compute what the reference computes. A process is switched once.

import { setFlagsFromString } from 'node:v8';
import { assemble } from './assemble.ts';
import { compile } from './executable.ts';
import { mayWiden } from './features.ts';
import { renderCalls } from './rendered.ts';
import { samplePlan, selfCheck } from './self-check.ts';
import { Team } from './team.ts';

let enabled: Promise<boolean> | undefined;

/** Switches widening on; false where the engine lacks it or its results are wrong. */
export function enableWide(): Promise<boolean> {
  enabled ??= tryWide();
  return enabled;
}

async function tryWide(): Promise<boolean> {
  if (!mayWiden()) return false;
  const target = { relaxed: true, wide: true };
  // The assembler is WebAssembly itself: used once before, so that the baseline compiler takes it, in a tenth of the time.
  for (const { text } of renderCalls(samplePlan(), target).renderings.values()) await assemble(text);
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
