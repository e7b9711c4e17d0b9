// Whole networks that are timed, as plain data that every peer builds from its own operations: a list of layers, each
// reading the one before or one named by its place in the list (−1: the input). Weights are made by the shared formula.

export type NetworkLayer =
  /** With bias, then scale and shift per channel where `scaled`, then ReLU where `relu`; padding [low, high] on all sides. */
  | {
      op: 'convolution';
      from?: number;
      filters: number;
      kernel: number;
      stride: number;
      padding: number;
      scaled?: boolean;
      relu?: boolean;
    }
  | { op: 'max-pool'; window: number; stride: number }
  | { op: 'average-pool'; from?: number; window: number }
  /** Zeros behind the cells of every dimension, and behind the channels. */
  | { op: 'pad'; from?: number; cells: number; channels: number }
  /** The sum of two, then ReLU. */
  | { op: 'add'; with: number }
  | { op: 'mean' }
  | { op: 'dense'; filters: number };

const halved = (n: number): number => Math.floor((n - 3) / 2) + 1;

// The face recognition network of face-api (King 2017), as in src/networks/face-recognition.ts.
function face(): NetworkLayer[] {
  const layers: NetworkLayer[] = [
    { op: 'convolution', filters: 32, kernel: 7, stride: 2, padding: 0, scaled: true, relu: true },
    { op: 'max-pool', window: 3, stride: 2 },
  ];
  let [size, depth] = [35, 32];
  const block = (filters: number, down: boolean) => {
    const input = layers.length - 1;
    const three = { op: 'convolution', filters, kernel: 3, scaled: true } as const;
    layers.push({ ...three, stride: down ? 2 : 1, padding: down ? 0 : 1, relu: true });
    layers.push({ ...three, stride: 1, padding: 1 });
    if (!down) return layers.push({ op: 'add', with: input });
    const short = Math.floor(size / 2) - halved(size);
    layers.push({ op: 'pad', cells: short, channels: 0 });
    const inner = layers.length - 1;
    layers.push({ op: 'average-pool', from: input, window: 2 });
    layers.push({ op: 'pad', cells: 0, channels: filters - depth });
    [size, depth] = [Math.floor(size / 2), filters];
    return layers.push({ op: 'add', with: inner });
  };
  for (const [width, count] of [
    [32, 3],
    [64, 3],
    [128, 2],
    [256, 2],
  ]) {
    if (width > 32) block(width, true);
    for (let i = 0; i < count; i++) block(width, false);
  }
  block(256, true);
  return [...layers, { op: 'mean' }, { op: 'dense', filters: 128 }];
}
export const faceNetwork: readonly NetworkLayer[] = face();

// A small residual network for pictures of one channel, with 40 classes.
function small(): NetworkLayer[] {
  const layers: NetworkLayer[] = [
    { op: 'convolution', filters: 16, kernel: 3, stride: 1, padding: 1, relu: true },
  ];
  for (const [filters, stride] of [
    [16, 1],
    [32, 2],
    [64, 2],
  ]) {
    const input = layers.length - 1;
    layers.push({ op: 'convolution', filters, kernel: 3, stride, padding: 1, relu: true });
    layers.push({ op: 'convolution', filters, kernel: 3, stride: 1, padding: 1 });
    const inner = layers.length - 1;
    if (stride > 1) layers.push({ op: 'convolution', from: input, filters, kernel: 1, stride, padding: 0 });
    layers.push({ op: 'add', with: stride > 1 ? inner : input });
  }
  return [...layers, { op: 'mean' }, { op: 'dense', filters: 40 }];
}
export const smallResidual: readonly NetworkLayer[] = small();

/** Shapes `[...spatial, channels]` of the input of each layer and of its output. */
export function shapesOf(
  layers: readonly NetworkLayer[],
  size: readonly number[],
  channels: number,
): { input: number[]; output: number[] }[] {
  const outputs: number[][] = [];
  return layers.map((layer, i) => {
    const from = 'from' in layer && layer.from !== undefined ? layer.from : i - 1;
    const input = outputs[from] ?? [...size, channels];
    const [cells, depth] = [input.slice(0, -1), input.at(-1)!];
    const cut = (kernel: number, stride: number, padding = 0) =>
      cells.map(n => Math.floor((n + 2 * padding - kernel) / stride) + 1);
    const output = ((): number[] => {
      switch (layer.op) {
        case 'convolution':
          return [...cut(layer.kernel, layer.stride, layer.padding), layer.filters];
        case 'max-pool':
          return [...cut(layer.window, layer.stride), depth];
        case 'average-pool':
          return [...cut(layer.window, layer.window), depth];
        case 'pad':
          return [...cells.map(n => n + layer.cells), depth + layer.channels];
        case 'add':
          return input;
        case 'mean':
          return [depth];
        case 'dense':
          return [layer.filters];
      }
    })();
    outputs.push(output);
    return { input, output };
  });
}

const product = (values: readonly number[]): number => values.reduce((a, b) => a * b, 1);

/** Arithmetic of the convolutions and dense layers of one sample. */
export function flopsOfNetwork(
  layers: readonly NetworkLayer[],
  size: readonly number[],
  channels: number,
): number {
  const shapes = shapesOf(layers, size, channels);
  return layers.reduce((sum, layer, i) => {
    const { input, output } = shapes[i];
    const taps = layer.op === 'convolution' ? layer.kernel ** size.length : 1;
    if (layer.op !== 'convolution' && layer.op !== 'dense') return sum;
    return sum + 2 * taps * input.at(-1)! * product(output);
  }, 0);
}

/** Shapes of a layer's parameters, each with the number of its values, their scale and the value they lie around. */
export function parametersOf(
  layer: NetworkLayer,
  index: number,
  depth: number,
  rank: number,
): { shape: number[]; salt: number; scale: number; around: number }[] {
  if (layer.op !== 'convolution' && layer.op !== 'dense') return [];
  const kernel = layer.op === 'convolution' ? new Array<number>(rank).fill(layer.kernel) : [];
  const shape = [...kernel, depth, layer.filters];
  const scale = Math.sqrt(24 / product(shape.slice(0, -1)));
  const each = { shape: [layer.filters], scale: 0.1 };
  const found = [{ shape, salt: 100 + 4 * index, scale, around: 0 }];
  if (layer.op === 'dense') return found;
  found.push({ ...each, salt: 101 + 4 * index, around: 0 });
  if (layer.scaled)
    found.push({ ...each, salt: 102 + 4 * index, around: 1 }, { ...each, salt: 103 + 4 * index, around: 0 });
  return found;
}
