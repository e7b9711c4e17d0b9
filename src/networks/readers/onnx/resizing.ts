// ONNX Resize and the older Upsample, any rank: one rule per dimension.

import type { AxisRule, Coordinates, ResizeRule } from '../../axis-rules.ts';
import { type Item, natural } from '../lowering.ts';
import type { OnnxNode, Operator } from './node.ts';

const coordinates: readonly Coordinates[] = [
  'half_pixel',
  'half_pixel_symmetric',
  'pytorch_half_pixel',
  'align_corners',
  'asymmetric',
  'tf_half_pixel_for_nn',
  'tf_crop_and_resize',
];
const rounding = ['round_prefer_floor', 'round_prefer_ceil', 'floor', 'ceil'] as const;

function oneOf<T extends string>(node: OnnxNode, name: string, value: string, known: readonly T[]): T {
  const found = known.find(k => k === value);
  if (!found) throw node.unsupported(`${name} ${value}`, `use one of ${known.join(', ')}`);
  return found;
}

interface Sizes {
  scales: number[];
  sizes: number[];
}

/** Factors and sizes of the dimensions in `axes`, from whichever the model gives. */
function sizesOf(node: OnnxNode, shape: readonly number[], axes: readonly number[]): Sizes {
  const from = node.opset < 11 ? 1 : 2;
  const given = node.items[from];
  const scales =
    node.floats('scales') ?? (given && given.shape[0] !== 0 ? node.integers(from, 'its scales') : undefined);
  if (scales) {
    if (scales.length !== axes.length || scales.some(s => !(s > 0 && s < 2 ** 20)))
      throw node.error(`scales [${scales}] for ${axes.length} dimensions`, 'export the model again');
    return { scales, sizes: axes.map((a, i) => Math.floor(shape[a] * scales[i])) };
  }
  const sizes = node.integers(3, 'its sizes');
  if (sizes.length !== axes.length || sizes.some(s => !Number.isSafeInteger(s) || s < 1))
    throw node.error(`sizes [${sizes}] for ${axes.length} dimensions`, 'export the model again');
  const factors = axes.map((a, i) => sizes[i] / shape[a]);
  const policy = node.text('keep_aspect_ratio_policy', 'stretch');
  if (policy === 'stretch') return { scales: factors, sizes };
  const scale = policy === 'not_larger' ? Math.min(...factors) : Math.max(...factors);
  return { scales: axes.map(() => scale), sizes: axes.map(a => Math.floor(scale * shape[a] + 0.5)) };
}

function resize(node: OnnxNode): Item {
  const input = node.stored(0);
  const rank = input.shape.length;
  const axes = node.ints('axes')?.map(a => node.axis(a, rank)) ?? natural(rank);
  const { scales, sizes } = sizesOf(node, input.shape, axes);
  const mode = oneOf(node, 'mode', node.text('mode', 'nearest'), ['nearest', 'linear', 'cubic'] as const);
  const old = node.opset < 11;
  const how = oneOf(
    node,
    'coordinate_transformation_mode',
    node.text('coordinate_transformation_mode', old ? 'asymmetric' : 'half_pixel'),
    coordinates,
  );
  const nearest = oneOf(
    node,
    'nearest_mode',
    node.text('nearest_mode', old ? 'floor' : 'round_prefer_floor'),
    rounding,
  );
  const value = how === 'tf_crop_and_resize' ? node.float('extrapolation_value', 0) : 0;
  const roi = how === 'tf_crop_and_resize' ? node.integers(1, 'its region') : [];
  const rules = natural(rank).map((a): AxisRule | null => {
    const i = axes.indexOf(a);
    if (i < 0) return null;
    const part = roi.length > 0 ? ([roi[i], roi[i + axes.length]] as const) : undefined;
    if (sizes[i] === input.shape[a] && scales[i] === 1 && (!part || (part[0] === 0 && part[1] === 1)))
      return null;
    if (sizes[i] < 1)
      throw node.error(`nothing is left of dimension ${a} of [${input.shape}]`, 'give a larger input');
    return {
      rule: 'resize',
      size: sizes[i],
      scale: scales[i],
      mode,
      coordinates: how,
      ...(mode === 'nearest' && { nearest }),
      ...(mode === 'cubic' && { cubic: node.float('cubic_coeff_a', -0.75) }),
      ...(node.int('exclude_outside', 0) === 1 && { excludeOutside: true }),
      ...(node.int('antialias', 0) === 1 && { antialias: true }),
      ...(part && { roi: part }),
    } satisfies ResizeRule;
  });
  return rules.every(rule => rule === null)
    ? input
    : node.lowering.byRules('resample', input, rules, value === 0 ? {} : { value });
}

export const resizingOperators: Record<string, Operator> = { Resize: resize, Upsample: resize };
