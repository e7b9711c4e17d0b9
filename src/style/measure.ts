// The losses of style transfer as plain numbers, in double precision, from activations and Gram matrices that were read
// back: for the start of a transfer and for what losses are put in relation to. The recorded losses that are minimised
// lie in transfer.ts.

import type { Arrays, Grid, LayerWeights } from './problem.ts';

function squaredDistance(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] - b[i]) ** 2;
  return sum;
}

const weighted = (layers: LayerWeights, of: (name: string) => number): number =>
  Object.entries(layers).reduce((sum, [name, weight]) => sum + weight * of(name), 0);

/** Σ_l w_l · ½‖a_l − c_l‖². */
export const contentLossOf = (activations: Arrays, targets: Arrays, layers: LayerWeights): number =>
  weighted(layers, name => 0.5 * squaredDistance(activations.get(name)!.data, targets.get(name)!.data));

/** Σ_l w_l · ½‖a_l − mean‖², the mean of each channel over its cells; activations are `[1, ...spatial, channels]`. */
export const contentEnergy = (activations: Arrays, layers: LayerWeights): number =>
  weighted(layers, name => {
    const { shape, data } = activations.get(name)!;
    const channels = shape.at(-1)!;
    const cells = data.length / channels;
    const sums = new Float64Array(channels);
    let squares = 0;
    for (let i = 0, c = 0; i < data.length; i++, c = c + 1 === channels ? 0 : c + 1) {
      sums[c] += data[i];
      squares += data[i] ** 2;
    }
    return 0.5 * Math.max(0, squares - sums.reduce((total, s) => total + s * s, 0) / cells);
  });

/** Σ_l λ_l · ‖A_l − B_l‖²_F / (2·channels)² for Gram matrices per cell `[channels, channels]`. */
export const styleLossOf = (grams: Arrays, targets: Arrays, layers: LayerWeights): number =>
  weighted(layers, name => {
    const { shape, data } = targets.get(name)!;
    return squaredDistance(grams.get(name)!.data, data) / (2 * shape.at(-1)!) ** 2;
  });

/** Σ over spatial dimensions of the squared differences between neighbours along it. */
export function neighbourVariation({ shape, data }: Grid): number {
  let sum = 0;
  for (let axis = 0, outer = data.length; axis < shape.length - 1; axis++) {
    outer /= shape[axis];
    // `outer` is now the distance between neighbours.
    for (let block = 0; block < data.length; block += outer * shape[axis])
      for (let i = block + outer; i < block + outer * shape[axis]; i++)
        sum += (data[i] - data[i - outer]) ** 2;
  }
  return sum;
}
