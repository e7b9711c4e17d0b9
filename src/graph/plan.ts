// Turns a graph into a program plan: gives every value its layout (the largest margin any reader needs), orders the
// calls, and packs the temporaries into one memory by liveness, elementwise results in place where an input dies.

import type { Kernel } from '../../kernels/kernel.ts';
import * as tapConv from '../../kernels/tap-conv/spec.ts';
import * as tapCorrelate from '../../kernels/tap-correlate/spec.ts';
import type { PlannedCall, PlannedTensor, ProgramPlan, Role } from '../backends/backend.ts';
import { elementCount, type Layout, layoutOf, type Margin, sameLayout } from '../tensor/layout.ts';
import type { Graph, Node, Value } from './graph.ts';
import { optimise } from './optimise.ts';

/** What a program is made of besides the graph. */
export interface ProgramRequest {
  /** Read after a run, by name. */
  outputs: Readonly<Record<string, Value>>;
  /** After each run the variable takes the value. */
  updates?: readonly { variable: Value; value: Value }[];
}

/** A plan with the tensor index of each named leaf and output. */
export interface NamedPlan {
  plan: ProgramPlan;
  /** Inputs and variables by name. */
  leaves: Map<string, number>;
  outputs: Map<string, number>;
}

const ALIGN = 64;
/** Bytes readable after each tensor (see the contract in kernels/kernel.ts). */
const SLACK = 256;

/** Plans a program; pure arithmetic, nothing is allocated. */
export function planProgram(graph: Graph, request: ProgramRequest): NamedPlan {
  const updates = holdOverwritten(graph, request.updates ?? []);
  const results = [
    ...Object.values(request.outputs).map(v => v.id),
    ...updates.flatMap(u => [u.variable.id, u.value.id]),
  ];
  const nodes = separateAliases(graph, optimise(graph, results));
  const layouts = layoutsOf(
    nodes,
    updates.map(u => [u.variable.id, u.value.id]),
  );

  const index = new Map(nodes.map((n, i) => [n.id, i]));
  const at = (id: number) => index.get(id)!;
  const outputs = new Set(Object.values(request.outputs).map(v => at(v.id)));
  const variableOf = new Map(updates.map(u => [at(u.value.id), at(u.variable.id)]));

  const calls: PlannedCall[] = [];
  for (const node of nodes) {
    if (node.kind !== 'kernel') continue;
    const inputs = node.inputs.map(at);
    calls.push({
      call: { kernel: node.kernel!, inputs: inputs.map(i => layouts[i]), output: layouts[at(node.id)] },
      inputs,
      output: at(node.id),
      label: node.label,
    });
  }
  const roots = nodes.map((n, i) => (n.kind === 'alias' ? i : i));
  for (const [i, n] of nodes.entries()) if (n.kind === 'alias') roots[i] = roots[at(n.inputs[0])];

  const { offsets, bytes, inPlace } = packMemory(nodes, layouts, calls, roots, outputs, variableOf);
  const tensors = nodes.map(
    (node, i): PlannedTensor => ({
      layout: layouts[i],
      role: roleOf(node, outputs.has(i)),
      offset: offsets[roots[i]],
      data: node.data,
      aliasOf: node.kind === 'alias' ? roots[i] : undefined,
      label: node.label,
    }),
  );
  return {
    plan: {
      tensors,
      calls,
      bytes,
      updates: updates.map(u => ({
        variable: at(u.variable.id),
        value: at(u.value.id),
        inPlace: inPlace.has(at(u.value.id)) && variableOf.get(at(u.value.id)) === at(u.variable.id),
      })),
    },
    leaves: new Map(nodes.flatMap((n, i) => (n.name === undefined ? [] : [[n.name, i] as const]))),
    outputs: new Map(Object.entries(request.outputs).map(([name, v]) => [name, at(v.id)])),
  };
}

// Updates happen one after the other: the old value of a variable that another variable takes is copied before.
function holdOverwritten(
  graph: Graph,
  updates: readonly { variable: Value; value: Value }[],
): readonly { variable: Value; value: Value }[] {
  const rootOf = (id: number): number =>
    graph.nodes[id].kind === 'alias' ? rootOf(graph.nodes[id].inputs[0]) : id;
  const updated = new Set(updates.map(u => u.variable.id));
  return updates.map(({ variable, value }) => {
    const root = rootOf(value.id);
    if (root === variable.id || !updated.has(root)) return { variable, value };
    return { variable, value: graph.map('x0', [value], 'hold') };
  });
}

const roleOf = (node: Node, isOutput: boolean): Role =>
  node.kind === 'constant' || node.kind === 'input' || node.kind === 'variable'
    ? node.kind
    : isOutput
      ? 'output'
      : 'temporary';

/** Margins each input of a call needs. */
function marginsOf(
  kernel: Kernel,
  inputs: readonly (readonly number[])[],
  output: readonly number[],
): (readonly Margin[])[] {
  switch (kernel.family) {
    case 'tap-conv':
      return tapConv.marginsOf(kernel, inputs, output);
    case 'tap-correlate':
      return tapCorrelate.marginsOf(kernel, inputs);
    default:
      return inputs.map(shape => layoutOf(shape).margin);
  }
}

// An alias shares its source's bytes, so neither may have a margin: where one would, a copy is put between.
function separateAliases(graph: Graph, nodes: Node[]): Node[] {
  if (!nodes.some(n => n.kind === 'alias')) return nodes;
  const byId = new Map(nodes.map(n => [n.id, n]));
  const needsMargin = new Set<number>();
  for (const n of nodes)
    if (n.kernel)
      marginsOf(
        n.kernel,
        n.inputs.map(i => byId.get(i)!.shape),
        n.shape,
      ).forEach((margin, i) => {
        if (margin.some(([l, h]) => l + h > 0)) needsMargin.add(n.inputs[i]);
      });
  const result: Node[] = [];
  const replaced = new Map<number, number>();
  let fresh = nodes.reduce((most, n) => Math.max(most, n.id + 1), graph.nodes.length);
  const copy = (source: number, shape: readonly number[], label: string): number => {
    const kernel: Kernel = {
      family: 'gather',
      concatAxis: 0,
      permutation: shape.map((_, a) => a),
      maps: shape.map(() => null),
    };
    result.push({ id: fresh, kind: 'kernel', shape, kernel, inputs: [source], label: `${label}/copy` });
    return fresh++;
  };
  for (const node of nodes) {
    const inputs = node.inputs.map(i => (node.kind === 'alias' ? i : (replaced.get(i) ?? i)));
    if (node.kind !== 'alias') {
      result.push({ ...node, inputs });
      continue;
    }
    const source = needsMargin.has(inputs[0])
      ? copy(inputs[0], byId.get(inputs[0])!.shape, node.label)
      : inputs[0];
    result.push({ ...node, inputs: [source] });
    if (needsMargin.has(node.id)) replaced.set(node.id, copy(node.id, node.shape, node.label));
  }
  return result;
}

function layoutsOf(nodes: readonly Node[], same: readonly (readonly [number, number])[]): Layout[] {
  const index = new Map(nodes.map((n, i) => [n.id, i]));
  const margins = nodes.map(n => n.shape.slice(0, -1).map(() => [0, 0] as [number, number]));
  const widen = (i: number, margin: readonly Margin[]) =>
    margin.forEach(([low, high], a) => {
      margins[i][a] = [Math.max(margins[i][a][0], low), Math.max(margins[i][a][1], high)];
    });
  for (const node of nodes) {
    if (!node.kernel) continue;
    const inputs = node.inputs.map(i => index.get(i)!);
    marginsOf(
      node.kernel,
      inputs.map(i => nodes[i].shape),
      node.shape,
    ).forEach((m, i) => widen(inputs[i], m));
  }
  // A variable and its next value share a layout, so that the update can happen in place.
  for (const [variable, value] of same) {
    const [a, b] = [index.get(variable)!, index.get(value)!];
    if (nodes[b].kind === 'alias') continue;
    widen(a, margins[b]);
    widen(b, margins[a]);
  }
  return nodes.map((n, i) => layoutOf(n.shape, margins[i]));
}

interface Memory {
  offsets: number[];
  bytes: number;
  /** Values planned into the bytes of the variable they replace. */
  inPlace: Set<number>;
}

function packMemory(
  nodes: readonly Node[],
  layouts: readonly Layout[],
  calls: readonly PlannedCall[],
  roots: readonly number[],
  outputs: ReadonlySet<number>,
  variableOf: ReadonlyMap<number, number>,
): Memory {
  const end = calls.length;
  const lastRead = new Array<number>(nodes.length).fill(-1);
  for (const [t, call] of calls.entries()) for (const i of call.inputs) lastRead[roots[i]] = t;
  for (const i of outputs) lastRead[roots[i]] = end;
  for (const i of variableOf.keys()) lastRead[roots[i]] = end;
  const permanent = (i: number) => nodes[i].kind !== 'kernel' && nodes[i].kind !== 'alias';

  const offsets = new Array<number>(nodes.length).fill(0);
  const sizes = layouts.map(l => Math.ceil((elementCount(l) * 4 + SLACK) / ALIGN) * ALIGN);
  const space = new Space();
  for (const [i] of nodes.entries()) if (permanent(i)) offsets[i] = space.take(sizes[i]);

  const inPlace = new Set<number>();
  const owner = new Map<number, number>(); // tensor -> tensor whose bytes it took over
  const release = (i: number) => {
    if (!permanent(i) && !owner.has(i)) space.give(offsets[i], sizes[i]);
  };
  for (const [t, call] of calls.entries()) {
    const out = call.output;
    const taken = takeOver(call, t);
    if (taken === undefined) offsets[out] = space.take(sizes[out]);
    else {
      offsets[out] = offsets[taken];
      if (permanent(taken)) {
        inPlace.add(out);
        owner.set(out, taken);
      }
    }
    for (const i of new Set(call.inputs.map(i => roots[i]))) if (lastRead[i] === t && i !== taken) release(i);
    if (lastRead[out] < t) release(out);
  }
  return { offsets, bytes: space.size, inPlace };

  // The input whose bytes an elementwise call may overwrite: one that dies here, or the variable it updates.
  function takeOver(call: PlannedCall, t: number): number | undefined {
    if (call.call.kernel.family !== 'map') return undefined;
    const out = call.output;
    const variable = variableOf.get(out);
    if (variable !== undefined && lastRead[variable] <= t && !outputs.has(variable) && elementwise(variable))
      return variable;
    return call.inputs.find(
      i => roots[i] === i && !permanent(i) && !owner.has(i) && lastRead[i] === t && elementwise(i),
    );

    function elementwise(i: number): boolean {
      return sameLayout(layouts[i], call.call.output);
    }
  }
}

/** First-fit space in one growing memory. */
class Space {
  size = 0;
  private holes: { offset: number; size: number }[] = [];

  take(size: number): number {
    const fitting = this.holes.filter(h => h.size >= size);
    const hole = fitting.sort((a, b) => a.size - b.size)[0];
    if (hole) {
      const { offset } = hole;
      hole.offset += size;
      hole.size -= size;
      this.holes = this.holes.filter(h => h.size > 0);
      return offset;
    }
    // Grow, using a hole at the end where there is one.
    const last = this.holes.find(h => h.offset + h.size === this.size);
    const offset = last ? last.offset : this.size;
    if (last) this.holes = this.holes.filter(h => h !== last);
    this.size = offset + size;
    return offset;
  }

  give(offset: number, size: number): void {
    const before = this.holes.find(h => h.offset + h.size === offset);
    const after = this.holes.find(h => h.offset === offset + size);
    const merged = {
      offset: before ? before.offset : offset,
      size: size + (before?.size ?? 0) + (after?.size ?? 0),
    };
    this.holes = [...this.holes.filter(h => h !== before && h !== after), merged];
  }
}

/** Bytes that hold their place for the whole program (weights, state) and those of the busiest moment. */
export function memoryOf(plan: ProgramPlan): { permanent: number; peak: number } {
  const permanent = plan.tensors
    .filter(t => t.aliasOf === undefined && t.role !== 'temporary' && t.role !== 'output')
    .reduce((sum, t) => sum + elementCount(t.layout) * 4, 0);
  return { permanent, peak: plan.bytes };
}
