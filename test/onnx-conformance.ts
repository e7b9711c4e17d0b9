// `npm run conformance -- FOLDER …`: runs every folder in the layout of ONNX's own tests (`model.onnx` beside
// `test_data_set_0/input_0.pb`, `output_0.pb` …) on the reference and the wasm backend, compares with what is expected,
// and prints how many passed, which operators are not read, and what failed. A network takes one input: the first of
// numbers is it, the others are constants. Ends with 1 where anything failed. `--verbose` prints every reason.

import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Backend } from '../src/backends/backend.ts';
import { chooseBackend } from '../src/backends/choose.ts';
import { NdconvError } from '../src/errors.ts';
import { Graph } from '../src/graph/graph.ts';
import { Program } from '../src/graph/program.ts';
import { instantiate } from '../src/networks/network.ts';
import { type Constant, float32Of, strided, stridesOf } from '../src/networks/readers/constants.ts';
import { decodeModel, type OnnxNetwork, readOnnx } from '../src/networks/readers/onnx/model.ts';
import { decodeMessage } from '../src/networks/readers/onnx/protobuf.ts';
import { type TensorProto, tensorTable, type ValueInfoProto } from '../src/networks/readers/onnx/schema.ts';
import { decodeTensor, kindOf } from '../src/networks/readers/onnx/tensors.ts';

/**
 * ONNX's own tolerances are 10⁻³ of the value and 10⁻⁷; sums in float32 leave more than the latter beside large ones, and
 * bfloat16 has 8 bits where ndconv keeps float32.
 */
const relativeOf = (type: number | undefined): number => (type === 16 ? 2 ** -7 : 1e-3);
const absolute = 1e-5;

type Verdict = { kind: 'passed' } | { kind: 'unsupported' | 'failed'; op: string; reason: string };

/** A tensor of the test data; bfloat16 is kept there as the uint16 of its bits. */
function readTensor(path: string, info: ValueInfoProto | undefined): Constant {
  const tensor = decodeMessage(tensorTable, readFileSync(path)) as TensorProto;
  const bits = tensor.dataType === 4 && info?.type?.tensorType?.elementType === 16;
  return decodeTensor(path, bits ? { ...tensor, dataType: 16 } : tensor);
}

function difference(expected: Constant, have: ArrayLike<number>, relative: number): string | undefined {
  if (have.length !== expected.data.length) return `${have.length} numbers, expected ${expected.data.length}`;
  for (const [i, exact] of expected.data.entries()) {
    // What float32 cannot hold is infinite in it.
    const want = Number.isFinite(Math.fround(exact)) ? exact : Math.fround(exact);
    const got = have[i];
    if (Object.is(got, want) || got === want || (Number.isNaN(got) && Number.isNaN(want))) continue;
    if (!(Math.abs(got - want) <= absolute + relative * Math.abs(want)))
      return `element ${i} is ${got}, expected ${want}`;
  }
  return undefined;
}

/** Dimensions in the order of the origin: element order[d] of the result is dimension d. */
function toOrigin(data: Float32Array, shape: readonly number[], order: readonly number[]): Float32Array {
  const strides = stridesOf(order.map(a => shape[a]));
  return strided(
    data,
    shape,
    shape.map((_, a) => (order.includes(a) ? strides[order.indexOf(a)] : 0)),
  );
}

async function runOnce(
  network: OnnxNetwork,
  input: Constant,
  backend: Backend,
): Promise<(Float32Array | Constant)[]> {
  const { order, shape } = network.input;
  const strides = stridesOf(shape);
  const lead = order.length - shape.length;
  const stored = order.map(a => (a < lead ? 1 : shape[a - lead]));
  const data = strided(
    float32Of(input),
    stored,
    order.map(a => (a < lead ? 0 : strides[a - lead])),
  );
  const graph = new Graph();
  const names = network.outputs.flatMap(o => ('layer' in o.value ? [o.value.layer] : []));
  const values = new Map<string, Float32Array>();
  if (names.length > 0) {
    const outputs = Object.fromEntries(instantiate(network, graph.input('x', stored), names));
    const program = await Program.compile(graph, { outputs }, backend);
    try {
      if (program.planned.leaves.has('x')) await program.write('x', data);
      await program.run();
      for (const name of names) values.set(name, await program.read(name));
    } finally {
      await program.dispose();
    }
  }
  return network.outputs.map(({ value, shape: logical }) =>
    'layer' in value ? toOrigin(values.get(value.layer)!, logical, value.order) : value,
  );
}

/** The model with all inputs but one as constants; with all of them where `dynamic` is −1. */
const readBound = (
  path: string,
  inputs: readonly ValueInfoProto[],
  given: readonly Constant[],
  dynamic: number,
): Promise<OnnxNetwork> =>
  readOnnx(path, {
    constants: new Map(
      inputs.flatMap((info, i) => (i === dynamic ? [] : [[info.name ?? '', given[i]] as const])),
    ),
    inputShape: given[Math.max(0, dynamic)]?.shape,
  });

async function runFolder(folder: string, backends: readonly Backend[]): Promise<Verdict> {
  const path = join(folder, 'model.onnx');
  let op = '?';
  try {
    const { graph } = decodeModel(path, readFileSync(path));
    op = graph.node.map(n => n.opType ?? '').find(o => o !== 'Constant') ?? 'Constant';
    if ([...graph.input, ...graph.output].some(info => !info.type?.tensorType))
      return { kind: 'unsupported', op, reason: 'sequences and optionals' };
    const bound = new Set(graph.initializer.map(t => t.name));
    const inputs = graph.input.filter(i => !bound.has(i.name));
    for (const set of readdirSync(folder).filter(name => name.startsWith('test_data_set_'))) {
      const file = (kind: string, i: number) => join(folder, set, `${kind}_${i}.pb`);
      const given = inputs.map((info, i) => readTensor(file('input', i), info));
      const expected = graph.output.map((info, i) => readTensor(file('output', i), info));
      const first = inputs.findIndex(i => kindOf(i.type?.tensorType?.elementType) === 'float');
      // Where no input has fractions all may be constants: shape arithmetic, which is done on reading.
      const network = await readBound(path, inputs, given, Math.max(0, first)).catch(cause => {
        if (first >= 0) throw cause;
        return readBound(path, inputs, given, -1);
      });
      for (const backend of backends) {
        const found = await runOnce(network, given[Math.max(0, first)], backend);
        for (const [i, have] of found.entries()) {
          const { shape } = network.outputs[i];
          const numbers = have instanceof Float32Array ? have : have.data;
          const relative = relativeOf(graph.output[i].type?.tensorType?.elementType);
          const wrong =
            shape.join() === expected[i].shape.join()
              ? difference(expected[i], numbers, relative)
              : `shape [${shape}], expected [${expected[i].shape}]`;
          if (wrong)
            return {
              kind: 'failed',
              op,
              reason: `${backend.name}: output ${network.outputs[i].name}: ${wrong}`,
            };
        }
      }
    }
    return { kind: 'passed' };
  } catch (cause) {
    const known = cause instanceof NdconvError;
    const refused =
      known &&
      (cause.fields.unsupported === true ||
        /takes one|no elements|element type|holds no|operator set|has no input/.test(cause.message));
    return {
      kind: refused ? 'unsupported' : 'failed',
      op: known ? String(cause.fields.op ?? op) : op,
      reason: known ? cause.message.replace(`${path}: `, '') : String((cause as Error).stack),
    };
  }
}

const verbose = process.argv.includes('--verbose');
const roots = process.argv.slice(2).filter(a => !a.startsWith('--'));
if (roots.length === 0 || roots.some(root => !existsSync(root))) {
  console.error('usage: npm run conformance -- FOLDER …   (folders that hold model.onnx, at any depth)');
  process.exit(2);
}
const folders = roots
  .flatMap(root => globSync('**/model.onnx', { cwd: root }).map(m => dirname(join(root, m))))
  .sort();
const backends = [await chooseBackend('reference', {}), await chooseBackend('wasm', {})];
let passed = 0;
const unsupported = new Map<string, number>();
const failed: string[] = [];
for (const folder of folders) {
  const verdict = await runFolder(folder, backends);
  if (verdict.kind === 'passed') {
    passed++;
    continue;
  }
  if (verdict.kind === 'unsupported') unsupported.set(verdict.op, (unsupported.get(verdict.op) ?? 0) + 1);
  else failed.push(`${basename(folder)}: ${verdict.reason}`);
  if (verbose) console.log(`${verdict.kind}\t${basename(folder)}\t${verdict.reason}`);
}
for (const backend of backends) await backend.close();
const refused = [...unsupported.values()].reduce((a, b) => a + b, 0);
console.log(
  `${folders.length} tests on ${backends.map(b => b.name).join(' and ')}: ${passed} passed, ${refused} unsupported, ${failed.length} failed`,
);
if (refused > 0)
  console.log(
    `unsupported by operator: ${[...unsupported]
      .sort((a, b) => b[1] - a[1])
      .map(([op, n]) => `${op} ${n}`)
      .join(', ')}`,
  );
for (const line of failed) console.log(`failed ${line}`);
process.exit(failed.length > 0 ? 1 : 0);
