// What is timed. A task is plain data that every peer understands; inputs are made by a formula that the peers share,
// so that their results can be compared before anything is timed.

import { faceNetwork, flopsOfNetwork, type NetworkLayer, smallResidual } from './networks.ts';

/** A convolution or a network and what is computed of it. Sizes are spatial. */
export interface Task {
  name: string;
  group: 'design' | 'layers' | 'other' | 'gradients' | 'gram' | 'steps' | 'networks';
  kind:
    | 'forward'
    | 'input-gradient'
    | 'filter-gradient'
    | 'gram'
    | 'style-step'
    | 'network'
    | 'training-step';
  size: number[];
  channels: number;
  filters: number;
  kernel: number[];
  stride: number;
  dilation: number;
  groups: number;
  /** On each side of every dimension. */
  padding: number;
  /** 1 where absent. */
  batch?: number;
  /** style-step: convolutions of the network in order, `M` for a max pool of 2. */
  layers?: (number | 'M')[];
  /** network and training-step. */
  network?: readonly NetworkLayer[];
}

const convolution = (
  name: string,
  group: Task['group'],
  size: number[],
  channels: number,
  filters: number,
  more: Partial<Task> = {},
): Task => {
  const kernel = more.kernel ?? size.map(() => 3);
  const dilation = more.dilation ?? 1;
  return {
    name,
    group,
    kind: 'forward',
    size,
    channels,
    filters,
    stride: 1,
    groups: 1,
    padding: Math.floor((dilation * (kernel[0] - 1)) / 2),
    ...more,
    kernel,
    dilation,
  };
};

const square = (n: number) => [n, n];
const cube = (n: number) => [n, n, n];

const design = [
  convolution('1-D k9 64→64, 65536', 'design', [65536], 64, 64, { kernel: [9] }),
  convolution('2-D 3×3 64→64, 256²', 'design', square(256), 64, 64),
  convolution('2-D 3×3 256→256, 56²', 'design', square(56), 256, 256),
  convolution('3-D 3³ 32→32, 32×64×64', 'design', [32, 64, 64], 32, 32),
];

const layers = [
  convolution('VGG conv1_2, 64→64, 224²', 'layers', square(224), 64, 64),
  convolution('VGG conv2_1, 64→128, 112²', 'layers', square(112), 64, 128),
  convolution('VGG conv2_2, 128→128, 112²', 'layers', square(112), 128, 128),
  convolution('VGG conv3_1, 128→256, 56²', 'layers', square(56), 128, 256),
  convolution('VGG conv4_1, 256→512, 28²', 'layers', square(28), 256, 512),
  convolution('VGG conv4_2, 512→512, 28²', 'layers', square(28), 512, 512),
  convolution('VGG conv5_1, 512→512, 14²', 'layers', square(14), 512, 512),
  convolution('ResNet-34, 64→64, 56²', 'layers', square(56), 64, 64),
  convolution('ResNet-34, 128→128, 28²', 'layers', square(28), 128, 128),
  convolution('ResNet-34, 256→256, 14²', 'layers', square(14), 256, 256),
  convolution('ResNet-34, 512→512, 7²', 'layers', square(7), 512, 512),
  convolution('SqueezeNet fire9 expand, 64→256, 13²', 'layers', square(13), 64, 256),
  convolution('3-D 3³ 64→64, 32³', 'layers', cube(32), 64, 64),
];

const one = { kernel: [1, 1] };
const other = [
  convolution('VGG stem 3→64, 224²', 'other', square(224), 3, 64),
  convolution('64→3, 224²', 'other', square(224), 64, 3),
  convolution('ResNet stem 7×7 stride 2, 3→64, 224²', 'other', square(224), 3, 64, {
    kernel: [7, 7],
    stride: 2,
  }),
  convolution('SqueezeNet stem 3×3 stride 2, 3→64, 224²', 'other', square(224), 3, 64, { stride: 2 }),
  convolution('ResNet-34 3×3 stride 2, 64→128, 56²', 'other', square(56), 64, 128, { stride: 2 }),
  convolution('ResNet-34 3×3 stride 2, 256→512, 14²', 'other', square(14), 256, 512, { stride: 2 }),
  convolution('ResNet-34 1×1 stride 2, 64→128, 56²', 'other', square(56), 64, 128, { ...one, stride: 2 }),
  convolution('SqueezeNet fire2 expand, 16→64, 55²', 'other', square(55), 16, 64),
  convolution('SqueezeNet fire2 squeeze 1×1, 64→16, 55²', 'other', square(55), 64, 16, one),
  convolution('SqueezeNet fire9 squeeze 1×1, 512→64, 13²', 'other', square(13), 512, 64, one),
  convolution('1×1, 256→64, 56²', 'other', square(56), 256, 64, one),
  convolution('3×3 dilation 2, 64→64, 112²', 'other', square(112), 64, 64, { dilation: 2 }),
  convolution('depthwise 3×3, 128, 112²', 'other', square(112), 128, 128, { groups: 128 }),
  convolution('depthwise 3×3 stride 2, 64, 112²', 'other', square(112), 64, 64, { groups: 64, stride: 2 }),
  convolution('3-D 3³ stride 2, 32→64, 32³', 'other', cube(32), 32, 64, { stride: 2 }),
  convolution('1-D k9 stride 4, 32→64, 65536', 'other', [65536], 32, 64, { kernel: [9], stride: 4 }),
];

const gradients = (['input-gradient', 'filter-gradient'] as const).flatMap(kind => [
  convolution(`${kind}, 64→64, 256²`, 'gradients', square(256), 64, 64, { kind }),
  convolution(`${kind}, 256→256, 56²`, 'gradients', square(56), 256, 256, { kind }),
  convolution(`${kind}, 512→512, 14²`, 'gradients', square(14), 512, 512, { kind }),
  convolution(`${kind}, stem 3→64, 224²`, 'gradients', square(224), 3, 64, { kind }),
  convolution(`${kind}, stride 2, 64→128, 56²`, 'gradients', square(56), 64, 128, { kind, stride: 2 }),
  convolution(`${kind}, 1×1, 256→64, 56²`, 'gradients', square(56), 256, 64, { kind, ...one }),
  convolution(`${kind}, 3-D 32→32, 32×64×64`, 'gradients', [32, 64, 64], 32, 32, { kind }),
  convolution(`${kind}, 1-D k9 64→64, 65536`, 'gradients', [65536], 64, 64, { kind, kernel: [9] }),
]);

const grams = [
  [256, 64],
  [128, 128],
  [64, 256],
  [32, 512],
].map(([side, channels]) =>
  convolution(`Gram ${channels} channels, ${side}²`, 'gram', square(side), channels, channels, {
    kind: 'gram',
  }),
);

const vgg: (number | 'M')[] = [
  64,
  64,
  'M',
  128,
  128,
  'M',
  256,
  256,
  256,
  256,
  'M',
  512,
  512,
  512,
  512,
  'M',
  512,
];
const step = (
  name: string,
  size: number[],
  channels: number,
  layers: (number | 'M')[],
  more: Partial<Task> = {},
) => convolution(name, 'steps', size, channels, 0, { kind: 'style-step', layers, ...more });
const steps = [
  step('VGG-19 to conv5_1, 256²', square(256), 3, vgg),
  step('VGG-19 to conv5_1, 512²', square(512), 3, vgg),
  step('3-D, 32-64-128, 64³', cube(64), 1, [32, 32, 'M', 64, 64, 'M', 128]),
  step('3-D, 32-64-128, 96³', cube(96), 1, [32, 32, 'M', 64, 64, 'M', 128]),
  step('1-D k9, 64-128-256, 65536', [65536], 1, [64, 64, 'M', 128, 128, 'M', 256], {
    kernel: [9],
    padding: 4,
  }),
];

const networks = [
  convolution('embedding of a face, 150²', 'networks', square(150), 3, 0, {
    kind: 'network',
    network: faceNetwork,
  }),
  convolution('training step, 32 of 46×56, 16 to 64 channels', 'networks', [46, 56], 1, 0, {
    kind: 'training-step',
    batch: 32,
    network: smallResidual,
  }),
];

export const tasks: readonly Task[] = [
  ...design,
  ...layers,
  ...other,
  ...gradients,
  ...grams,
  ...networks,
  ...steps,
];

/** Value `i` of the input numbered `salt`, in (−0.5, 0.5): the same formula in every peer. */
export const valueAt = (i: number, salt: number): number =>
  ((((i + 1) * 48271 + salt * 7919) % 2147483647) % 65521) / 65521 - 0.5;

/** A tensor of such values, times `scale`. */
export const makeValues = (length: number, salt: number, scale = 1): Float32Array =>
  Float32Array.from({ length }, (_, i) => scale * valueAt(i, salt));

/** Spatial sizes of a convolution's output. */
export const outputSize = ({ size, kernel, stride, dilation, padding }: Task): number[] =>
  size.map((n, a) => Math.floor((n + 2 * padding - dilation * (kernel[a] - 1) - 1) / stride) + 1);

const product = (values: readonly number[]): number => values.reduce((a, b) => a * b, 1);

/** Arithmetic of one run, counted as direct convolution; style steps are counted forward and backward, training forward and twice backward. */
export function flopsOf(task: Task): number {
  if (task.kind === 'gram') return 2 * product(task.size) * task.channels ** 2;
  if (task.network)
    return (
      (task.batch ?? 1) *
      (task.kind === 'training-step' ? 3 : 1) *
      flopsOfNetwork(task.network, task.size, task.channels)
    );
  if (task.kind !== 'style-step')
    return (
      (2 * product(outputSize(task)) * product(task.kernel) * task.channels * task.filters) / task.groups
    );
  let [flops, cells, channels] = [0, product(task.size), task.channels];
  for (const layer of task.layers!) {
    if (layer === 'M') cells /= 2 ** task.size.length;
    else {
      flops += 4 * cells * product(task.kernel) * channels * layer;
      channels = layer;
    }
  }
  return flops;
}

/** Shape of the weights `[...kernel, channels / groups, filters]` and the scale of their values. */
export const weightsOf = ({
  kernel,
  channels,
  groups,
  filters,
}: Pick<Task, 'kernel' | 'channels' | 'groups' | 'filters'>) => {
  const shape = [...kernel, channels / groups, filters];
  return { shape, scale: Math.sqrt(24 / product(shape.slice(0, -1))) };
};

/** One class of each sample in turn, as probabilities `[batch, classes]`. */
export const targetsOf = ([batch, classes]: readonly number[]): Float32Array =>
  Float32Array.from({ length: batch * classes }, (_, i) =>
    Number(i % classes === Math.floor(i / classes) % classes),
  );

/** Positions of the result that are compared: at most 257, spread over it. */
export const samplesOf = (length: number): number[] => {
  const step = Math.max(1, Math.floor(length / 256));
  return Array.from({ length: Math.ceil(length / step) }, (_, i) => i * step).slice(0, 257);
};
