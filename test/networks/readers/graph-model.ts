// A TensorFlow.js graph-model with the operators of small mobile networks, its weights from a fixed rule: what
// TensorFlow.js 4.22 makes of it is in tfjs.test.ts.
type Json = Record<string, any>;

const rule = (seed: number, i: number) => Math.fround((((i + 1) * 7919 + seed * 104729) % 2001) / 1000 - 1);
export const inputOf = () => Float32Array.from({ length: 360 }, (_, i) => rule(99, i));

export function makeGraph(): { json: Json; bytes: Uint8Array } {
  const node: Json[] = [];
  const weights: Json[] = [];
  const parts: Buffer[] = [];
  let seed = 0;
  const add = (name: string, op: string, input: string[] = [], attr: Json = {}) => {
    node.push({ name, op, input, attr });
    return name;
  };
  const constant = (name: string, shape: number[], values?: number[], dtype = 'float32') => {
    const count = shape.reduce((a, b) => a * b, 1);
    const list = values ?? Array.from({ length: count }, (_, i) => rule(seed, i));
    seed++;
    weights.push({ name, shape, dtype });
    parts.push(
      Buffer.from(dtype === 'int32' ? Int32Array.from(list).buffer : Float32Array.from(list).buffer),
    );
    return add(name, 'Const', [], { dtype: { type: dtype === 'int32' ? 'DT_INT32' : 'DT_FLOAT' } });
  };
  const ints = (...i: number[]) => ({ list: { i: i.map(String) } });
  const text = (s: string) => ({ s: Buffer.from(s).toString('base64') });
  const texts = (...s: string[]) => ({ list: { s: s.map(t => Buffer.from(t).toString('base64')) } });
  add('x', 'Placeholder', [], {
    dtype: { type: 'DT_FLOAT' },
    shape: { shape: { dim: [{ size: '1' }, { size: '12' }, { size: '10' }, { size: '3' }] } },
  });
  add('conv', '_FusedConv2D', ['x', constant('conv/w', [3, 3, 3, 8]), constant('conv/b', [8])], {
    strides: ints(1, 2, 2, 1),
    padding: text('SAME'),
    data_format: text('NHWC'),
    fused_ops: texts('BiasAdd', 'Relu6'),
    dilations: ints(1, 1, 1, 1),
    num_args: { i: '1' },
  });
  add('deep', 'DepthwiseConv2dNative', ['conv', constant('deep/w', [3, 3, 8, 1])], {
    strides: ints(1, 1, 1, 1),
    padding: text('SAME'),
    data_format: text('NHWC'),
    dilations: ints(1, 1, 1, 1),
  });
  add(
    'norm',
    'FusedBatchNormV3',
    [
      'deep',
      constant('norm/g', [8]),
      constant('norm/b', [8]),
      constant('norm/m', [8]),
      constant('norm/v', [8], [0.5, 1, 1.5, 2, 0.7, 0.9, 1.2, 3]),
    ],
    { epsilon: { f: 0.001 }, is_training: { b: false }, data_format: text('NHWC') },
  );
  add('blocks', 'SpaceToBatchND', [
    'norm',
    constant('block', [2], [2, 2], 'int32'),
    constant('pads', [2, 2], [2, 2, 2, 3], 'int32'),
  ]);
  add('atrous', 'Conv2D', ['blocks', constant('atrous/w', [3, 3, 8, 4])], {
    strides: ints(1, 1, 1, 1),
    padding: text('VALID'),
    data_format: text('NHWC'),
    dilations: ints(1, 1, 1, 1),
  });
  add('whole', 'BatchToSpaceND', ['atrous', 'block', constant('crops', [2, 2], [0, 0, 0, 1], 'int32')]);
  add('pool', 'MaxPool', ['whole'], {
    ksize: ints(1, 2, 2, 1),
    strides: ints(1, 2, 2, 1),
    padding: text('SAME'),
    data_format: text('NHWC'),
  });
  add('average', 'AvgPool', ['norm'], {
    ksize: ints(1, 3, 3, 1),
    strides: ints(1, 2, 2, 1),
    padding: text('SAME'),
    data_format: text('NHWC'),
  });
  add('up', 'ResizeBilinear', ['pool', constant('size', [2], [6, 5], 'int32')], {
    align_corners: { b: false },
    half_pixel_centers: { b: true },
  });
  add('near', 'ResizeNearestNeighbor', ['average', 'size'], {
    align_corners: { b: false },
    half_pixel_centers: { b: true },
  });
  add('joined', 'ConcatV2', ['up', 'near', 'conv', constant('axis', [], [3], 'int32')], { N: { i: '3' } });
  add('mirror', 'MirrorPad', ['joined', constant('around', [4, 2], [0, 0, 1, 1, 2, 0, 0, 0], 'int32')], {
    mode: text('REFLECT'),
  });
  add('mean', 'Mean', ['mirror', constant('cells', [2], [1, 2], 'int32')], { keep_dims: { b: true } });
  add('shape', 'Shape', ['mean']);
  add(
    'batch',
    'StridedSlice',
    [
      'shape',
      constant('s0', [1], [0], 'int32'),
      constant('s1', [1], [1], 'int32'),
      constant('s2', [1], [1], 'int32'),
    ],
    {
      begin_mask: { i: '0' },
      end_mask: { i: '0' },
      ellipsis_mask: { i: '0' },
      new_axis_mask: { i: '0' },
      shrink_axis_mask: { i: '1' },
    },
  );
  add('rest', 'Pack', ['batch', constant('minus', [], [-1], 'int32')], { axis: { i: '0' }, N: { i: '2' } });
  add('flat', 'Reshape', ['mean', 'rest']);
  add('dense', '_FusedMatMul', ['flat', constant('dense/w', [20, 6]), constant('dense/b', [6])], {
    transpose_a: { b: false },
    transpose_b: { b: false },
    fused_ops: texts('BiasAdd'),
    num_args: { i: '1' },
  });
  add('answer', 'Softmax', ['dense']);
  const bytes = Buffer.concat(parts);
  return {
    json: {
      format: 'graph-model',
      modelTopology: { node, versions: {} },
      weightsManifest: [{ paths: ['weights.bin'], weights }],
    },
    bytes,
  };
}
