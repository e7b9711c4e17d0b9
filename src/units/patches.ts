// The patches at which units responded most, cut out of the inputs, with views of why: a second pass over the inputs that
// hold any, one at a time. A view needs only the part of an input that the unit reads, so that it is computed on a part
// whose layers lie on the same grid as those of the whole; where the unit has another value there, on the whole.

import type { Backend } from '../backends/backend.ts';
import type { Dataset } from '../datasets/dataset.ts';
import type { Item } from '../datasets/list.ts';
import { NdconvError } from '../errors.ts';
import type { Field } from '../formats/field.ts';
import { Graph } from '../graph/graph.ts';
import { Program } from '../graph/program.ts';
import { instantiate, type Network } from '../networks/network.ts';
import type { Box } from '../networks/receptive-field.ts';
import { excerpt } from '../prepare/excerpt.ts';
import { product } from '../tensor/layout.ts';
import type { Hit } from './best.ts';
import { createStore, type Fields, fieldsOf, unitsOf } from './reader.ts';
import { readPlaced } from './scan.ts';
import { recordView, type ViewName } from './views.ts';

/** A patch to be cut: `rank` is its place among those of its unit, from 0. */
export interface Wanted {
  readonly layer: string;
  readonly unit: number;
  readonly rank: number;
  readonly hit: Hit;
}

/** Where a unit responded, in the input. */
export interface UnitPatch extends Wanted {
  readonly item: Item;
  /** The whole input; shared, do not change it. */
  readonly input: Field;
  /** Coordinates of the unit's cell in its layer; none for a layer that gives one row. */
  readonly at: readonly number[];
  /** What the unit reads, on a grid without edges: may reach beyond the input, infinitely where it reads all. */
  readonly box: Box;
  /** The part of it inside the input. */
  readonly inside: Box;
  /** The box reaches beyond an edge. */
  readonly cut: boolean;
  /** The input within `inside`. */
  readonly patch: Field;
  /** What every view sends back to `inside`. */
  readonly views: ReadonlyMap<ViewName, Field>;
}

const rangesOf = ({ from, to }: Box) => from.map((start, axis) => [start, to[axis]] as const);

/**
 * All wanted patches, in the order of the inputs. Errors: as for evaluating the network.
 */
export async function* cutPatches(
  network: Network,
  dataset: Dataset,
  wanted: readonly Wanted[],
  views: readonly ViewName[],
  backend: Backend,
): AsyncGenerator<UnitPatch> {
  const layers = [...new Set(wanted.map(({ layer }) => layer))];
  const byItem = new Map<number, Wanted[]>();
  for (const one of wanted) {
    const own = byItem.get(one.hit.item);
    if (own) own.push(one);
    else byItem.set(one.hit.item, [one]);
  }
  const shapes = createStore<Fields>(8, () => {});
  const programs = createStore<ViewProgram>(8, ({ program }) => program.dispose());
  try {
    const items = [...byItem.keys()].sort((a, b) => a - b);
    for await (const { at: place, item, field } of readPlaced(dataset, items)) {
      const fields = await shapes.get(field.shape.join(), () => fieldsOf(network, field.shape, layers));
      for (const own of byItem.get(place)!) {
        const { layer, hit } = own;
        const [box, inside] = [fields.box(layer, hit.cell), fields.inside(layer, hit.cell)];
        const patch = excerpt(field, rangesOf(inside));
        const found = new Map<ViewName, Field>();
        if (views.length > 0) {
          const maps = await viewsOf(network, field, fields, own, inside, views, backend, programs);
          for (const [name, data] of maps) found.set(name, { ...patch, data, valueUnit: '' });
        }
        yield {
          ...own,
          item,
          input: field,
          at: fields.coordinates(layer, hit.cell),
          box,
          inside,
          cut: box.from.some(
            (from, axis) =>
              Number.isFinite(from) && (from < inside.from[axis] || box.to[axis] > inside.to[axis]),
          ),
          patch,
          views: found,
        };
      }
    }
  } finally {
    await programs.clear();
  }
}

interface ViewProgram {
  program: Program;
  /** `[1, ...cells, units]`. */
  seed: number[];
}

/** Up to the layer, with a seed that picks one element of it, and what the views send back. */
async function compileViews(
  fields: Fields,
  layer: string,
  shape: readonly number[],
  views: readonly ViewName[],
  backend: Backend,
): Promise<ViewProgram> {
  const graph = new Graph();
  const x = graph.input('x', [1, ...shape]);
  const value = instantiate(fields.network, x, [layer]).get(layer)!;
  const seed = graph.input('seed', value.shape);
  const ones = value.shape.map(() => 1);
  const unit = graph.reshape(graph.reduce('sum', ['mul', 'x0', 'x1'], [value, seed], ones, 'unit'), [1]);
  const outputs = Object.fromEntries(views.map(name => [name, recordView(name, unit, x)]));
  const program = await Program.compile(graph, { outputs: { ...outputs, unit } }, backend);
  return { program, seed: [...value.shape] };
}

/** What each view sends back to the cells of `inside`, `[...inside, channels]`. */
async function viewsOf(
  network: Network,
  field: Field,
  whole: Fields,
  { layer, unit, hit }: Wanted,
  inside: Box,
  views: readonly ViewName[],
  backend: Backend,
  programs: ReturnType<typeof createStore<ViewProgram>>,
): Promise<Map<ViewName, Float32Array>> {
  const everything = { from: whole.spatial.map(() => 0), to: [...whole.spatial] };
  const units = unitsOf(whole, layer);
  const evaluate = async (part: Box, cell: number) => {
    const input = excerpt(field, rangesOf(part));
    const key = `${layer} ${input.shape}`;
    const { program, seed } = await programs.get(key, () =>
      compileViews(fieldsOf(network, input.shape, [layer]), layer, input.shape, views, backend),
    );
    const picked = new Float32Array(product(seed));
    const at = cell * units + unit;
    if (!(at < picked.length)) return undefined;
    picked[at] = 1;
    await program.write('x', input.data);
    await program.write('seed', picked);
    await program.run();
    const value = await program.readScalar('unit');
    const away = Math.abs(value - hit.value);
    if (part !== everything && !(away <= 1e-3 * Math.abs(hit.value) + 1e-6)) return undefined;
    const found = new Map<ViewName, Float32Array>();
    const box: Box = {
      from: inside.from.map((p, axis) => p - part.from[axis]),
      to: inside.to.map((p, axis) => p - part.from[axis]),
    };
    for (const name of views) {
      const back = { ...field, shape: input.shape, data: await program.read(name) };
      found.set(name, excerpt(back, rangesOf(box)).data);
    }
    return found;
  };
  const part = partFor(whole, layer, hit.cell, inside);
  const found =
    part &&
    (await evaluate(part.box, part.cell).catch(error => {
      // Networks of files may take one size alone.
      if (error instanceof NdconvError) return undefined;
      throw error;
    }));
  return found ?? (await evaluate(everything, hit.cell))!;
}

const common = (a: number, b: number): number => (b === 0 ? a : common(b, a % b));

/** Steps after which all layers up to this one lie on the same grid again, per axis; undefined where there are none. */
function repeatOf(
  { plan, network, receptive }: Fields,
  layer: string,
): { repeat: number[]; step: number[] } | undefined {
  const fields = receptive();
  const own = fields.get(layer);
  if (!own) return undefined;
  const axes = Array.from({ length: network.rank }, (_, axis) => axis);
  const repeat = axes.map(() => 1);
  for (const { name } of plan.layers) {
    for (const axis of axes) {
      const stride = fields.get(name)?.stride[axis] ?? 1;
      const whole = stride < 1 ? 1 : stride;
      if (!Number.isInteger(whole)) return undefined;
      repeat[axis] = (repeat[axis] * whole) / common(repeat[axis], whole);
    }
    if (name === layer) break;
  }
  return own.stride.every(stride => stride !== undefined)
    ? { repeat, step: own.stride as number[] }
    : undefined;
}

/**
 * A part of the input around a unit's field, of one size for all units of the layer, and the unit's cell in it; undefined
 * where that would not be smaller than the input.
 */
function partFor(
  fields: Fields,
  layer: string,
  cell: number,
  inside: Box,
): { box: Box; cell: number } | undefined {
  const repeats = repeatOf(fields, layer);
  const at = fields.coordinates(layer, cell);
  if (!repeats || at.length !== fields.spatial.length) return undefined;
  const { repeat, step } = repeats;
  const size = fields.receptive().get(layer)!.size;
  const from: number[] = [];
  const to: number[] = [];
  for (const [axis, n] of fields.spatial.entries()) {
    const rest = n % repeat[axis];
    const length = Math.ceil((size[axis] + 2 * repeat[axis] - rest) / repeat[axis]) * repeat[axis] + rest;
    if (!(length < n)) {
      from.push(0);
      to.push(n);
      continue;
    }
    const start = Math.floor(inside.from[axis] / repeat[axis]) * repeat[axis];
    from.push(Math.min(start, n - length));
    to.push(from[axis] + length);
  }
  if (from.every((p, axis) => p === 0 && to[axis] === fields.spatial[axis])) return undefined;
  const box = { from, to };
  const moved = at.map((p, axis) => p - from[axis] / step[axis]);
  // Sizes of the layer for the part: those of the whole less the steps between them.
  const sizes = fields
    .sizesOf(layer)
    .map((n, axis) => n - (fields.spatial[axis] - (to[axis] - from[axis])) / step[axis]);
  return { box, cell: moved.reduce((index, p, axis) => index * sizes[axis] + p, 0) };
}
