// The face detectors of face-api: a single-shot detector on MobileNet (Howard et al. 2017, Liu et al. 2016) and a small one
// after Tiny YOLO v2 (Redmon & Farhadi 2017), as @vladmandic/face-api runs them. Layers have the names of their weight
// manifests. What they say of boxes is read by src/faces/detect.ts.

import type { KnownNetwork, Source } from './architectures.ts';
import { INPUT, type Layer } from './network.ts';
import type { NamedTensor } from './weights.ts';

const named = (
  name: string,
  type: Layer['type'],
  parameters: Layer['parameters'] = {},
  from?: string[],
): Layer => ({ name, type, parameters, ...(from ? { from } : {}) });

const withWeights = (layer: Layer, weights: NonNullable<Layer['weights']>): Layer => ({ ...layer, weights });

const relu6 = (name: string): Layer => named(name, 'elementwise', { expr: ['min', ['max', 'x0', 0], 6] });

/** Filters `[...kernel, channels, 1]` as groups of one channel have them: `[...kernel, 1, channels]`. */
export const depthwise = ({ shape, data }: NamedTensor): NamedTensor => ({
  shape: [...shape.slice(0, -2), 1, shape[shape.length - 2]],
  data,
});

const halved = (spatial: readonly number[]): number[] => spatial.map(n => Math.ceil(n / 2));

/** Numbers of a class prediction: nothing, a face, and one that the training had beside it. */
const classes = 3;
/** The steps of MobileNet's depthwise convolutions that halve the grid. */
const halving = [2, 4, 6, 12];

/** A convolution and ReLU6; its name without the end is that of its tensors. */
function pointwise(
  source: Source,
  prefix: string,
  [size, into, out]: [number, number, number],
  strides = 1,
): Layer[] {
  const weights = source.tensor(`${prefix}/weights`, size, size, into, out);
  const bias = source.tensor(`${prefix}/convolution_bn_offset`, out);
  return [
    withWeights(named(prefix, 'convolution', { strides, padding: 'same' }), { weights, bias }),
    relu6(`${prefix}/relu6`),
  ];
}

function mobileNet(source: Source): Layer[] {
  const layers = pointwise(source, 'MobilenetV1/Conv2d_0_pointwise', [3, 3, 32], 2);
  let depth = 32;
  for (const [i, out] of [64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024].entries()) {
    const prefix = `MobilenetV1/Conv2d_${i + 1}_depthwise`;
    const strides = halving.includes(i + 1) ? 2 : 1;
    const of = (name: string) => source.tensor(`${prefix}/BatchNorm/${name}`, depth);
    layers.push(
      withWeights(named(prefix, 'convolution', { strides, padding: 'same', groups: depth }), {
        weights: depthwise(source.tensor(`${prefix}/depthwise_weights`, 3, 3, depth, 1)),
      }),
      withWeights(named(`${prefix}/BatchNorm`, 'batch-norm', { epsilon: 0.001 }), {
        scale: of('gamma'),
        shift: of('beta'),
        mean: of('moving_mean'),
        variance: of('moving_variance'),
      }),
      relu6(`${prefix}/relu6`),
      ...pointwise(source, `MobilenetV1/Conv2d_${i + 1}_pointwise`, [1, depth, out]),
    );
    depth = out;
  }
  return layers;
}

/** What becomes of one grid: boxes `[batch, cells · anchors, 4]` and classes `[batch, cells · anchors, 3]`. */
function predictor(
  source: Source,
  index: number,
  from: string,
  depth: number,
  spatial: readonly number[],
): Layer[] {
  const anchors = index === 0 ? 3 : 6;
  const boxes = anchors * spatial.reduce((a, b) => a * b, 1);
  return (
    [
      ['BoxEncodingPredictor', 4],
      ['ClassPredictor', classes],
    ] as const
  ).flatMap(([kind, numbers]) => {
    const prefix = `Prediction/BoxPredictor_${index}/${kind}`;
    const weights = source.tensor(`${prefix}/weights`, 1, 1, depth, anchors * numbers);
    const bias = source.tensor(`${prefix}/biases`, anchors * numbers);
    return [
      withWeights(named(prefix, 'convolution', {}, [from]), { weights, bias }),
      named(`${prefix}/rows`, 'reshape', { shape: [-1, boxes, numbers] }),
    ];
  });
}

function singleShot(source: Source, spatial: readonly number[]): Layer[] {
  const layers = mobileNet(source);
  let grid = halved(halved(halved(halved(spatial))));
  layers.push(...predictor(source, 0, 'MobilenetV1/Conv2d_11_pointwise/relu6', 512, grid));
  grid = halved(grid);
  const last = 'MobilenetV1/Conv2d_13_pointwise/relu6';
  layers.push(...predictor(source, 1, last, 1024, grid));
  let [from, depth] = [last, 1024];
  for (const [i, [narrow, wide]] of [
    [256, 512],
    [128, 256],
    [128, 256],
    [64, 128],
  ].entries()) {
    const [first, ...rest] = [
      ...pointwise(source, `Prediction/Conv2d_${2 * i}_pointwise`, [1, depth, narrow]),
      ...pointwise(source, `Prediction/Conv2d_${2 * i + 1}_pointwise`, [3, narrow, wide], 2),
    ];
    layers.push({ ...first, from: [from] }, ...rest);
    grid = halved(grid);
    [from, depth] = [layers[layers.length - 1].name, wide];
    layers.push(...predictor(source, i + 2, from, depth, grid));
  }
  const all = (kind: string) =>
    Array.from({ length: 6 }, (_, i) => `Prediction/BoxPredictor_${i}/${kind}/rows`);
  layers.push(
    withWeights(named('priors', 'constant', {}, [INPUT]), {
      value: source.tensor('Output/extra_dim', 1, 5118, 4),
    }),
    named('boxes', 'join', { axis: 1 }, all('BoxEncodingPredictor')),
    named('classes', 'join', { axis: 1 }, all('ClassPredictor')),
  );
  return layers;
}

export const faceDetector: KnownNetwork = {
  summary: 'face detector of face-api: a single-shot detector on MobileNet (Liu et al. 2016)',
  rank: 2,
  channels: 3,
  preprocessing: { order: 'RGB', mean: [0.5, 0.5, 0.5], deviation: [0.5, 0.5, 0.5] },
  sizes: [512, 512],
  build: singleShot,
  // Sizes and places that its graph kept as tensors.
  unused: /^(Preprocessor|Postprocessor|concat_1)\/|\/(stack|stack_1|strided_slice)\//,
};

/** `leaky` of the manifest's depthwise and pointwise filters over a grid padded by one cell. */
function separable(source: Source, name: string, into: number, out: number): Layer[] {
  return [
    withWeights(named(`${name}/depthwise`, 'convolution', { padding: 1, groups: into }), {
      weights: depthwise(source.tensor(`${name}/depthwise_filter`, 3, 3, into, 1)),
    }),
    withWeights(named(`${name}/pointwise`, 'convolution'), {
      weights: source.tensor(`${name}/pointwise_filter`, 1, 1, into, out),
      bias: source.tensor(`${name}/bias`, out),
    }),
    named(`${name}/leaky`, 'leaky-relu', { slope: 0.1 }),
  ];
}

function tinyDetector(source: Source): Layer[] {
  const filters = (name: string, size: number, into: number, out: number) => ({
    weights: source.tensor(`${name}/filters`, size, size, into, out),
    bias: source.tensor(`${name}/bias`, out),
  });
  const layers: Layer[] = [
    withWeights(named('conv0', 'convolution'), filters('conv0', 3, 3, 16)),
    named('conv0/leaky', 'leaky-relu', { slope: 0.1 }),
  ];
  let depth = 16;
  for (const [i, out] of [32, 64, 128, 256, 512].entries()) {
    layers.push(named(`pool${i}`, 'max-pool', { window: 2, strides: 2, padding: 'same' }));
    layers.push(...separable(source, `conv${i + 1}`, depth, out));
    depth = out;
  }
  layers.push(named('pool5', 'max-pool', { window: 2, strides: 1, padding: 'same' }));
  layers.push(withWeights(named('conv8', 'convolution'), filters('conv8', 1, 512, 25)));
  return layers;
}

export const tinyFaceDetector: KnownNetwork = {
  summary: 'small face detector of face-api, after Tiny YOLO v2 (Redmon & Farhadi 2017)',
  rank: 2,
  channels: 3,
  preprocessing: {
    order: 'RGB',
    mean: [117.001 / 255, 114.697 / 255, 97.404 / 255],
    deviation: [1, 1, 1],
  },
  sizes: [416, 416],
  build: tinyDetector,
  unused: /^$/,
};
