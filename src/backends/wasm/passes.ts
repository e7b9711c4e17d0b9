// Neighbouring calls of a plan that run as one kernel, so that memory is passed over once: maps of the same shape of
// which one reads what another reads or writes (the moments of an optimiser and the step they lead to), a maximum with
// its places, and a convolution of one tap with the map that alone reads it (the gradient of a Gram matrix, added to
// another, masked). The plan stays as it is: the calls could run one after the other, and on gpu.js, where a kernel has
// one output, they do.

import { substitute } from '../../../kernels/map/expr.ts';
import type { MapKernel } from '../../../kernels/map/spec.ts';
import { type MapResult, renderMaps } from '../../../kernels/map/wasm.ts';
import { renderTapConv, takesEpilogue } from '../../../kernels/tap-conv/wasm.ts';
import type { WasmRendering, WasmTarget } from '../../../kernels/wasm.ts';
import { isRegular, renderRegular } from '../../../kernels/window/regular.ts';
import type { Window } from '../../../kernels/window/spec.ts';
import { elementCount, type Layout, sameLayout, sameShape } from '../../tensor/layout.ts';
import type { PlannedCall, ProgramPlan } from '../backend.ts';

/** Calls that run as one kernel: most alone. */
export interface Pass {
  readonly calls: readonly PlannedCall[];
  /** Tensors in the order of the kernel's parameters: what is stored, then what is read. */
  readonly outputs: readonly number[];
  readonly inputs: readonly number[];
  /** Of several calls; undefined where the family renders the only one. */
  readonly rendering?: (target: WasmTarget) => WasmRendering;
  /** Names that rendering beside the keys of the calls. */
  readonly key: string;
}

/** Most tensors that a pass of several maps walks along. */
const TENSORS = 10;

/** The passes of a plan, in order. */
export function passesOf(plan: ProgramPlan): Pass[] {
  const passes: Pass[] = [];
  const { calls } = plan;
  for (let c = 0; c < calls.length; c += passes.at(-1)!.calls.length)
    passes.push(
      mapsFrom(plan, c) ??
        epilogueFrom(plan, c) ??
        maximaFrom(plan, c) ?? {
          calls: [calls[c]],
          outputs: [calls[c].output],
          inputs: calls[c].inputs,
          key: '',
        },
    );
  return passes;
}

// The maximum of windows and, right behind it, where it was.
function maximaFrom(plan: ProgramPlan, c: number): Pass | undefined {
  const [maxima, places] = plan.calls.slice(c, c + 2);
  if (maxima.call.kernel.family !== 'window' || places?.call.kernel.family !== 'window') return undefined;
  const windowsOf = ({ inputs, call: { kernel } }: PlannedCall) =>
    JSON.stringify({ ...kernel, kind: '', positive: false, inputs });
  const kinds = [maxima, places].map(({ call }) => (call.kernel as Window).kind).join();
  if (kinds !== 'max,argmax' || windowsOf(maxima) !== windowsOf(places) || !isRegular(maxima.call))
    return undefined;
  const [outputs, inputs] = [[maxima.output, places.output], maxima.inputs];
  if (![...outputs, ...inputs].every((i, n, all) => all.slice(n + 1).every(j => apart(plan, i, j))))
    return undefined;
  return {
    calls: [maxima, places],
    outputs,
    inputs,
    rendering: () => renderRegular(maxima.call, places.call),
    key: '',
  };
}

// A convolution and, right behind it, the map that alone reads it.
function epilogueFrom(plan: ProgramPlan, c: number): Pass | undefined {
  const [first, map] = plan.calls.slice(c, c + 2);
  const { call, inputs, output: sum } = first;
  if (call.kernel.family !== 'tap-conv' || map?.call.kernel.family !== 'map' || !takesEpilogue(call))
    return undefined;
  const read = map.inputs.map(i => rootOf(plan, i));
  const whole = map.call.inputs.every(({ shape }) => sameShape(shape, call.output.shape));
  if (!read.includes(sum) || !whole || isReadElsewhere(plan, sum, [first, map])) return undefined;
  const others = [...new Set(read)].filter(i => i !== sum);
  const [x, ...weights] = inputs.map(i => rootOf(plan, i));
  const clear = (i: number) => apart(plan, map.output, i);
  const inPlace = !clear(x);
  const safe = others.every(i => clear(i) || inOnePlace(plan, map.output, i)) && weights.every(clear);
  if (!safe || (inPlace && !inOnePlace(plan, map.output, x)) || others.length + inputs.length >= TENSORS)
    return undefined;
  const expr = substitute((map.call.kernel as MapKernel).expr, n => `x${[sum, ...others].indexOf(read[n])}`);
  const layouts = others.map(i => map.call.inputs[read.indexOf(i)]);
  return {
    calls: [first, map],
    outputs: [map.output],
    inputs: [...inputs, ...others],
    rendering: target =>
      renderTapConv({ ...call, output: map.call.output }, target, { expr, others: layouts, inPlace }),
    key: JSON.stringify([expr, inPlace]),
  };
}

// As many maps from call c on as can be computed together; undefined for one alone.
function mapsFrom(plan: ProgramPlan, c: number): Pass | undefined {
  let last = c;
  while (joins(plan, c, last + 1)) last++;
  if (last === c) return undefined;
  const calls = plan.calls.slice(c, last + 1);
  const made = calls.map(call => call.output);
  const read = new Map<number, Layout>();
  for (const { inputs, call } of calls)
    for (const [n, i] of inputs.entries())
      if (!made.includes(rootOf(plan, i))) read.set(rootOf(plan, i), call.inputs[n]);
  const order = [...read.keys(), ...made];
  const stored = made.filter(i => isReadElsewhere(plan, i, calls));
  const results = calls.map(
    ({ call: { kernel, output }, inputs, output: i }): MapResult => ({
      expr: substitute((kernel as MapKernel).expr, n => `x${order.indexOf(rootOf(plan, inputs[n]))}`),
      output: stored.includes(i) ? output : undefined,
    }),
  );
  return {
    calls,
    outputs: stored,
    inputs: [...read.keys()],
    rendering: () => renderMaps([...read.values()], results, calls[0].call.output.shape),
    // Which tensors are the same, and which are stored.
    key: JSON.stringify(results),
  };
}

// Whether call `next` can be computed together with those from `first` on: a map of the same shape that has a tensor in
// common with them, and none that lies across another's bytes.
function joins(plan: ProgramPlan, first: number, next: number): boolean {
  const [{ call }, added] = [plan.calls[first], plan.calls[next]];
  if (call.kernel.family !== 'map' || added?.call.kernel.family !== 'map') return false;
  if (!sameShape(added.call.output.shape, call.output.shape)) return false;
  const before = plan.calls.slice(first, next);
  const tensorsOf = (list: readonly PlannedCall[]) =>
    new Set(list.flatMap(({ inputs, output }) => [...inputs, output].map(i => rootOf(plan, i))));
  const [known, all] = [tensorsOf(before), [...tensorsOf([...before, added])]];
  const whole = (i: number) => sameShape(plan.tensors[i].layout.shape, call.output.shape);
  if (all.length > TENSORS || ![...tensorsOf([added])].some(i => whole(i) && known.has(i))) return false;
  // A result read under another shape is read across the order in which it is made.
  const made = new Set([...before, added].map(({ output }) => output));
  if (added.inputs.some(i => made.has(rootOf(plan, i)) && !whole(i))) return false;
  return all.every(
    (i, n) => !made.has(i) || all.every((j, m) => m === n || apart(plan, i, j) || inOnePlace(plan, i, j)),
  );
}

const rootOf = ({ tensors }: ProgramPlan, i: number): number => tensors[i].aliasOf ?? i;

// Whether anything but the calls of a pass reads a result of it.
function isReadElsewhere(plan: ProgramPlan, i: number, calls: readonly PlannedCall[]): boolean {
  const reads = (j: number) => rootOf(plan, j) === i;
  return (
    plan.tensors.some(({ role }, j) => reads(j) && role !== 'temporary') ||
    plan.updates.some(({ value }) => reads(value)) ||
    plan.calls.some(call => !calls.includes(call) && call.inputs.some(reads))
  );
}

const endOf = ({ tensors }: ProgramPlan, i: number): number =>
  tensors[i].offset + 4 * elementCount(tensors[i].layout);
const apart = (plan: ProgramPlan, i: number, j: number): boolean =>
  endOf(plan, i) <= plan.tensors[j].offset || endOf(plan, j) <= plan.tensors[i].offset;
const inOnePlace = ({ tensors }: ProgramPlan, i: number, j: number): boolean =>
  tensors[i].offset === tensors[j].offset && sameLayout(tensors[i].layout, tensors[j].layout);
