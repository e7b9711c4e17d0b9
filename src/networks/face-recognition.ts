// The face recognition network of face-api: dlib's residual network with 29 convolutions, 128 numbers a face (King 2017),
// as @vladmandic/face-api runs it. Layers have the names of its weight manifest. Faces are to be cut out and 150 × 150.

import type { KnownNetwork, Source } from './architectures.ts';
import type { Layer } from './network.ts';

/** Layers in the making, with the sizes of the value that the next one reads. */
interface Making {
  readonly layers: Layer[];
  readonly source: Source;
  readonly spatial: readonly number[];
  readonly depth: number;
}

const named = (
  name: string,
  type: Layer['type'],
  parameters: Layer['parameters'] = {},
  from?: string[],
): Layer => ({
  name,
  type,
  parameters,
  ...(from ? { from } : {}),
});

/** A convolution, its scale and shift per channel, and `relu` where wanted; gives the last layer's name. */
function convolution(
  { layers, source }: Making,
  name: string,
  [size, into, out]: [number, number, number],
  parameters: Layer['parameters'],
  { relu, from }: { relu: boolean; from?: string },
): string {
  layers.push({
    ...named(`${name}/conv`, 'convolution', parameters, from === undefined ? undefined : [from]),
    weights: {
      weights: source.tensor(`${name}/conv/filters`, size, size, into, out),
      bias: source.tensor(`${name}/conv/bias`, out),
    },
  });
  layers.push({
    ...named(`${name}/scale`, 'affine'),
    weights: {
      scale: source.tensor(`${name}/scale/weights`, out),
      shift: source.tensor(`${name}/scale/biases`, out),
    },
  });
  if (relu) layers.push(named(`${name}/relu`, 'relu'));
  return layers[layers.length - 1].name;
}

const afterValid = (spatial: readonly number[], kernel: number): number[] =>
  spatial.map(n => Math.floor((n - kernel) / 2) + 1);

/** Two convolutions beside a skip; `out` channels other than before, or `down`, halve the grid. */
function residual(making: Making, name: string, out: number, down: boolean): Making {
  const { layers, spatial, depth } = making;
  const input = layers[layers.length - 1].name;
  const first = down ? { strides: 2 } : { padding: 'same' };
  convolution(making, `${name}/conv1`, [3, depth, out], first, { relu: true, from: input });
  let inner = convolution(making, `${name}/conv2`, [3, out, out], { padding: 'same' }, { relu: false });
  let skip = input;
  let sizes = spatial;
  if (down) {
    skip = `${name}/pool`;
    layers.push(named(skip, 'average-pool', { window: 2 }, [input]));
    sizes = spatial.map(n => Math.floor(n / 2));
    const short = afterValid(spatial, 3).map((n, a) => sizes[a] - n);
    // There for every size, so that layers have the same names for all; where nothing is short it hands on what it reads.
    const rules = [null, ...short.map(high => (high > 0 ? padTo(high) : null)), null];
    layers.push(named(`${name}/pad`, 'pad-axes', { rules }, [inner]));
    inner = `${name}/pad`;
    if (out > depth) {
      const rules = [null, ...spatial.map(() => null), padTo(out - depth)];
      layers.push(named(`${name}/widen`, 'pad-axes', { rules }, [skip]));
      skip = `${name}/widen`;
    }
  }
  layers.push(named(`${name}/add`, 'add', {}, [skip, inner]), named(`${name}/relu`, 'relu'));
  return { ...making, spatial: sizes, depth: out };
}

const padTo = (high: number) => ({ rule: 'pad', low: 0, high, mode: 'constant' });

function build(source: Source, spatial: readonly number[]): Layer[] {
  const layers: Layer[] = [];
  const start: Making = { layers, source, spatial, depth: 3 };
  convolution(start, 'conv32_down', [7, 3, 32], { strides: 2 }, { relu: true });
  layers.push(named('pool', 'max-pool', { window: 3, strides: 2 }));
  let making: Making = { ...start, spatial: afterValid(afterValid(spatial, 7), 3), depth: 32 };
  for (const [width, count] of [
    [32, 3],
    [64, 3],
    [128, 2],
    [256, 2],
  ]) {
    if (width > 32) making = residual(making, `conv${width}_down`, width, true);
    for (let i = 1; i <= count; i++) making = residual(making, `conv${width}_${i}`, width, false);
  }
  residual(making, 'conv256_down_out', 256, true);
  layers.push(named('mean', 'global-average-pool'));
  layers.push({ ...named('descriptor', 'dense'), weights: { weights: source.tensor('fc', 256, 128) } });
  return layers;
}

export const faceRecognition: KnownNetwork = {
  summary: 'face recognition of face-api, 128 numbers a face (King 2017)',
  rank: 2,
  channels: 3,
  preprocessing: {
    order: 'RGB',
    mean: [122.782 / 255, 117.001 / 255, 104.298 / 255],
    deviation: [1, 1, 1],
  },
  sizes: [150, 150],
  build,
  unused: /^$/,
};
