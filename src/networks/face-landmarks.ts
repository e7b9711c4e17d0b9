// The network of face-api that places 68 points on a face (numbered as in iBUG 300-W, Sagonas et al. 2013): four dense blocks
// of separable convolutions, as @vladmandic/face-api runs it. Layers have the names of its weight manifest. Faces are to be
// cut out by a detector's box; x and y of every point come as parts of the side, one after the other.

import type { KnownNetwork, Source } from './architectures.ts';
import { depthwise } from './face-detection.ts';
import type { Layer } from './network.ts';

/** A separable convolution, or a plain one where the manifest has filters. */
function convolution(
  source: Source,
  name: string,
  [into, out]: readonly [number, number],
  strides: number,
  from: string[] | undefined,
): Layer[] {
  const reads = from ? { from } : {};
  const bias = source.tensor(`${name}/bias`, out);
  if (into === 3)
    return [
      {
        name,
        type: 'convolution',
        parameters: { strides, padding: 'same' },
        ...reads,
        weights: { weights: source.tensor(`${name}/filters`, 3, 3, into, out), bias },
      },
    ];
  return [
    {
      name: `${name}/depthwise`,
      type: 'convolution',
      parameters: { strides, padding: 'same', groups: into },
      ...reads,
      weights: { weights: depthwise(source.tensor(`${name}/depthwise_filter`, 3, 3, into, 1)) },
    },
    {
      name,
      type: 'convolution',
      parameters: {},
      weights: { weights: source.tensor(`${name}/pointwise_filter`, 1, 1, into, out), bias },
    },
  ];
}

/** Four convolutions, each of which reads the sum of all before it; the first halves the grid. */
function block(source: Source, name: string, into: number, out: number): Layer[] {
  const layers = convolution(source, `${name}/conv0`, [into, out], 2, undefined);
  layers.push({ name: `${name}/relu0`, type: 'relu', parameters: {} });
  // Sums before ReLU; the first convolution joins them after it.
  let sum = `${name}/relu0`;
  let last = sum;
  for (const i of [1, 2, 3]) {
    layers.push(...convolution(source, `${name}/conv${i}`, [out, out], 1, [last]));
    layers.push({ name: `${name}/add${i}`, type: 'add', parameters: {}, from: [sum, `${name}/conv${i}`] });
    sum = `${name}/add${i}`;
    last = `${name}/relu${i}`;
    layers.push({ name: last, type: 'relu', parameters: {} });
  }
  return layers;
}

function build(source: Source): Layer[] {
  const layers: Layer[] = [];
  let depth = 3;
  for (const [i, out] of [32, 64, 128, 256].entries()) {
    layers.push(...block(source, `dense${i}`, depth, out));
    depth = out;
  }
  layers.push({ name: 'pool', type: 'average-pool', parameters: { window: 7, strides: 2 } });
  layers.push({ name: 'row', type: 'flatten', parameters: {} });
  layers.push({
    name: 'points',
    type: 'dense',
    parameters: {},
    weights: { weights: source.tensor('fc/weights', 256, 136), bias: source.tensor('fc/bias', 136) },
  });
  return layers;
}

export const faceLandmarks: KnownNetwork = {
  summary: '68 points of a face by face-api',
  rank: 2,
  channels: 3,
  preprocessing: {
    order: 'RGB',
    mean: [122.782 / 255, 117.001 / 255, 104.298 / 255],
    deviation: [1, 1, 1],
  },
  sizes: [112, 112],
  build,
  unused: /^$/,
};
