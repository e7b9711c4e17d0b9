// The pipeline language from within: what a file becomes once parameters, overrides, defaults, ids and references are
// resolved, and in which order its steps run.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import test, { type Test } from 'tape';
import {
  checkPipeline,
  loadPipeline,
  type Overrides,
  PipelineError,
  type ResolvedPipeline,
  type Step,
} from '../../src/pipeline/index.ts';
import { parseSource } from '../../src/pipeline/load.ts';
import { editDistance, nearestName } from '../../src/pipeline/nearest.ts';
import { orderSteps } from '../../src/pipeline/references.ts';
import { publishedSchema } from '../../src/pipeline/schema.ts';
import { steps } from '../../src/pipeline/steps/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'ndconv-language-'));
test.onFinish(() => rmSync(folder, { recursive: true, force: true }));
mkdirSync(join(folder, 'data'));
writeFileSync(join(folder, 'data/input.txt'), 'something');

/** A step that takes whatever the tests want to see resolved. */
const probe: Step = {
  name: 'probe',
  summary: 'shows its parameters',
  schema: {
    properties: {
      from: { reference: ['table'] },
      file: { path: 'read' },
      to: { path: 'write' },
      count: { type: 'integer', minimum: 0, default: 4, costly: true },
      text: { type: 'string' },
      list: {
        type: 'array',
        items: { type: 'object', properties: { weight: { type: 'number', default: 1 } } },
      },
      layers: { type: 'object', additionalProperties: { type: 'number' } },
      kind: { oneOf: [{ enum: ['plain'] }, { path: 'read' }] },
    },
  },
  outputs: { value: 'table' },
  effect: true,
  check: ({ params }) => ({
    outputs: { value: { kind: 'table', shape: [params.count as number] } },
    memory: 1000 * (params.count as number),
    seconds: 2,
  }),
  run: async () => ({ value: null }),
};

const write = (text: string): string => {
  const file = join(folder, 'a pipeline.yaml');
  writeFileSync(file, text);
  return file;
};
const load = (text: string, overrides: Overrides = {}): Promise<ResolvedPipeline> =>
  loadPipeline(write(text), { ...overrides, steps: { probe } });
const only = async (text: string, overrides?: Overrides): Promise<Record<string, unknown>> =>
  (await load(text, overrides)).steps[0].written;

async function refuses(t: Test, attempt: Promise<unknown>, says: RegExp): Promise<void> {
  const error = await attempt.then(
    () => undefined,
    reason => reason,
  );
  t.ok(error instanceof PipelineError, `refused: ${says}`);
  t.match(String(error?.message), says);
}

const head = 'ndconv: 1\n';

test('parameters keep their type as a whole value and become text inside one', async t => {
  const written = await only(`${head}params: { n: 3, m: { a: [1, 2], b: 0.5 }, word: two }
steps:
  - uses: probe
    with: { count: \${params.n}, text: "\${params.word} and \${params.n}", list: [{ weight: \${params.m.b} }], layers: { x: "\${params.m.a.1}" } }
`);
  t.deepEqual(written, { count: 3, text: 'two and 3', list: [{ weight: 0.5 }], layers: { x: 2 } });
});

test('defaults are filled in, at every depth', async t => {
  t.deepEqual(await only(`${head}steps:\n  - { uses: probe, with: { list: [{}, { weight: 2 }] } }\n`), {
    count: 4,
    list: [{ weight: 1 }, { weight: 2 }],
  });
});

test('--set reaches parameters, keys of steps, places in lists, and the file itself', async t => {
  const text = `${head}name: written\nseed: 1\nparams: { n: 3 }
steps:
  - id: first
    uses: probe
    with: { count: \${params.n}, list: [{}, {}] }
`;
  const written = async (...set: string[]) => (await load(text, { set })).steps[0].written;
  t.equal((await written('n=9')).count, 9);
  t.equal((await written('params.n=9')).count, 9, 'in full');
  t.equal((await written('n=8', 'n=9')).count, 9, 'the last counts');
  t.deepEqual((await written('first.list.1.weight=7')).list, [{ weight: 1 }, { weight: 7 }]);
  t.deepEqual((await written('first.layers={relu1: 1, relu2: 0.5}')).layers, { relu1: 1, relu2: 0.5 });
  t.deepEqual((await written('first.layers.relu1=2')).layers, { relu1: 2 }, 'a mapping that was not there');
  t.deepEqual((await written('steps.first.with.list=[{weight: 3}]')).list, [{ weight: 3 }]);
  t.equal((await written('first.text=a: b: c')).text, 'a: b: c', 'what is no YAML value is text');
  t.equal((await written('first.text="12"')).text, '12', 'quotes make text');

  const whole = await load(text, { set: ['seed=5', 'name=other', 'backend=reference'] });
  t.deepEqual([whole.seed, whole.name, whole.backend], [5, 'other', 'reference']);
  const flagged = await load(text, { set: ['seed=5'], seed: 6, backend: 'wasm' });
  t.deepEqual([flagged.seed, flagged.backend], [6, 'wasm'], 'an option of its own wins');

  await refuses(
    t,
    written('first.list.2.weight=7'),
    /first.list.2.weight=7: list is a list of 2; "2" is none of its places/,
  );
  await refuses(t, written('first.list.weight=7'), /"weight" is none of its places/);
  await refuses(t, written('first=7'), /first is a step, not a parameter/);
  await refuses(t, written('n.x=7'), /there is no step n/);
});

test('a value that came from a parameter says so where it is wrong', async t => {
  const text = `${head}params: { n: -3 }\nsteps:\n  - { uses: probe, with: { count: \${params.n} } }\n`;
  await refuses(
    t,
    load(text),
    /:4:35: count must be an integer from 0, but is -3(.|\n)*the value comes from params.n \(line 2\)/,
  );
});

test('paths: to read from the folder of the file, to write as they are', async t => {
  const { steps } = await load(
    `${head}steps:\n  - { uses: probe, with: { file: data/input.txt, to: a/../b.txt, kind: plain } }\n`,
  );
  t.equal(steps[0].params.file, join(folder, 'data/input.txt'));
  t.equal(steps[0].params.to, 'b.txt');
  t.equal(steps[0].params.kind, 'plain', 'a name comes before a path');
  t.equal(steps[0].written.file, 'data/input.txt', 'records show what was written');
});

test('ids: given, or the name of the step, numbered', async t => {
  const { steps, name } = await load(
    `${head}steps:\n  - uses: probe\n  - uses: probe\n  - { id: mine, uses: probe }\n`,
  );
  t.deepEqual(
    steps.map(({ id }) => id),
    ['probe', 'probe-2', 'mine'],
  );
  t.equal(name, 'a-pipeline', 'the name of the file, as a folder can be named');
  t.equal(new Set(steps.map(({ seed }) => seed)).size, 3, 'each step has a seed of its own');
});

test('seeds follow from the seed and the id alone', async t => {
  const seeds = async (text: string) => new Map((await load(text)).steps.map(({ id, seed }) => [id, seed]));
  const one = await seeds(`${head}seed: 3\nsteps:\n  - { id: a, uses: probe }\n  - { id: b, uses: probe }\n`);
  const two = await seeds(
    `${head}seed: 3\nsteps:\n  - { id: b, uses: probe }\n  - { id: c, uses: probe }\n  - { id: a, uses: probe }\n`,
  );
  t.equal(two.get('a'), one.get('a'));
  t.equal(two.get('b'), one.get('b'));
});

test('order: references decide, then the file', async t => {
  const { steps } = await load(`${head}steps:
  - { id: last, uses: probe, with: { from: "@middle" } }
  - { id: middle, uses: probe, with: { from: "@first.value" } }
  - { id: other, uses: probe }
  - { id: first, uses: probe }
`);
  t.deepEqual(
    steps.map(({ id }) => id),
    ['first', 'middle', 'last', 'other'],
  );
});

test('order: every step after those it needs, for any graph', t => {
  const edges = fc.array(fc.tuple(fc.nat(9), fc.nat(9)), { maxLength: 25 });
  fc.assert(
    fc.property(edges, pairs => {
      // An edge from the larger to the smaller number cannot close a circle.
      const needs = new Map(
        Array.from({ length: 10 }, (_, i) => [
          `s${i}`,
          pairs.filter(([a, b]) => a === i && b < i).map(([, b]) => `s${b}`),
        ]),
      );
      const { order, cycles } = orderSteps(new Map([...needs].sort(([a], [b]) => (a < b ? 1 : -1))));
      const position = new Map(order.map((id, i) => [id, i]));
      return (
        cycles.length === 0 &&
        order.length === 10 &&
        [...needs].every(([id, others]) => others.every(other => position.get(other)! < position.get(id)!))
      );
    }),
  );
  t.pass('always');
  t.deepEqual(
    orderSteps(
      new Map([
        ['a', ['b']],
        ['b', ['c']],
        ['c', ['b']],
      ]),
    ).cycles,
    [['b', 'c', 'b']],
  );
  t.end();
});

test('plan: memory and time are summed, and too much memory names what to lower', async t => {
  const text = `${head}params: { n: 50 }\nsteps:
  - { id: a, uses: probe, with: { count: \${params.n} } }
  - { id: b, uses: probe, with: { from: "@a", count: 10 } }
`;
  const { plan } = await checkPipeline(write(text), { steps: { probe } });
  t.deepEqual(plan.memory, { peak: 50_000, during: 'a' });
  t.equal(plan.seconds, 4);
  const small = checkPipeline(write(text), { steps: { probe }, availableMemory: 20_000 });
  await refuses(
    t,
    small,
    /:4:20: the step a \(probe\) needs 48.8 KiB of memory; 19.5 KiB are available(.|\n)*lower count of a \(now 50\)/,
  );
  const set = checkPipeline(write(text), { steps: { probe }, availableMemory: 20_000, set: ['n=5'] });
  t.equal((await set).plan.memory.peak, 10_000 + 4 * 5, 'the result of a is held while b runs');
});

test('places: line and column of any key and value', t => {
  const text = 'a:\n  - b: 1\n    "c": [x, {d: é, e: ${params.y}}]\n';
  const source = parseSource(text, 'f.yaml', '/');
  t.deepEqual(source.value, { a: [{ b: 1, c: ['x', { d: 'é', e: '${params.y}' }] }] });
  const at = (path: (string | number)[], part?: 'key'): string => {
    const { line, column, length } = source.place(path, part);
    return `${line}:${column}+${length}`;
  };
  t.equal(at(['a', 0, 'b']), '2:8+1');
  t.equal(at(['a', 0, 'b'], 'key'), '2:5+1');
  t.equal(at(['a', 0, 'c', 1, 'e']), '3:24+11');
  t.equal(at(['a', 0, 'c', 1, 'e', 'none']), '3:21+1', 'the nearest key that is there');
  t.end();
});

test('a file cannot cost more than it is worth', async t => {
  const bomb = ['a: &a [x, x, x, x, x, x, x, x, x, x]'];
  for (const [before, name] of ['ab', 'bc', 'cd', 'de', 'ef'] as unknown as string[])
    bomb.push(`${name}: &${name} [${Array(10).fill(`*${before}`).join(', ')}]`);
  await refuses(t, load(`${bomb.join('\n')}\n`), /expands to more than 50000 values/);
  await refuses(t, load(`${'['.repeat(100)}${']'.repeat(100)}`), /nested/);
  await refuses(t, load(`${head}a: &a [*a]\n`), /contains itself/);
  await refuses(t, load(`${head}__proto__: { x: 1 }\n`), /unknown key "__proto__"/);
});

test('the schema for editors, and with it that of every step, is a valid JSON schema', t => {
  const ajv = new Ajv2020({ strict: true, strictTypes: false, strictRequired: false, allowUnionTypes: true });
  t.ok(ajv.validateSchema(publishedSchema(steps)), ajv.errorsText());
  t.doesNotThrow(() => ajv.compile(publishedSchema(steps)), 'and a strict one');
  t.end();
});

test('nearest names', t => {
  t.equal(editDistance('iteration', 'iterations'), 1);
  t.equal(editDistance('szie', 'size'), 1, 'neighbours swapped');
  t.equal(nearestName('Iterations', ['iterations', 'size']), 'iterations');
  t.equal(nearestName('style_weight', ['styleWeight', 'contentWeight']), 'styleWeight');
  t.equal(nearestName('iter', ['iterations', 'size']), 'iterations');
  t.equal(nearestName('xyz', ['iterations', 'size']), undefined);
  fc.assert(
    fc.property(
      fc.string({ maxLength: 8 }),
      fc.string({ maxLength: 8 }),
      (a, b) => editDistance(a, b) === editDistance(b, a),
    ),
  );
  t.end();
});
