// The wasm backend itself: options, memory, updates, times, threads and the check of wide vectors.

import { spawnSync } from 'node:child_process';
import tape from 'tape';
import { explainTapConv } from '../../kernels/tap-conv/render.ts';
import { explainTapCorrelate } from '../../kernels/tap-correlate/render.ts';
import type { ProgramPlan } from '../../src/backends/backend.ts';
import { createWasmBackend } from '../../src/backends/wasm/backend.ts';
import { passesOf } from '../../src/backends/wasm/passes.ts';
import { planCall, selfCheck } from '../../src/backends/wasm/self-check.ts';
import { NdconvError } from '../../src/errors.ts';
import { layoutOf } from '../../src/tensor/layout.ts';

const addOne = planCall({ family: 'map', expr: ['add', 'x0', 1] }, [[1, 5, 3]], [1, 5, 3]);

tape('wasm backend: refuses impossible thread counts', async t => {
  for (const threads of [0, -1, 1.5, Number.NaN])
    try {
      await createWasmBackend({ threads });
      t.fail(`${threads} was accepted`);
    } catch (error) {
      t.ok(error instanceof NdconvError && error.tag === 'BackendError', `${threads}: ${error}`);
    }
});

tape('wasm backend: says how much memory a program would need', async t => {
  const backend = await createWasmBackend({ threads: 1 });
  try {
    await backend.compile({ ...addOne, bytes: 5 * 2 ** 30 });
    t.fail('5 GiB were accepted');
  } catch (error) {
    t.ok(error instanceof NdconvError && error.tag === 'MemoryError', String(error));
    t.match(String(error), /5\.00 GiB.*4 GiB/, 'need and limit');
  }
  await backend.close();
});

/** How the only call of a plan is computed where vectors are wide. */
function methodOf({ calls, tensors }: ProgramPlan): string {
  const [{ call, inputs }] = calls;
  const constants = inputs.map(i => tensors[i].role === 'constant');
  const target = { relaxed: true, wide: true };
  return call.kernel.family === 'tap-conv'
    ? explainTapConv(call, target, constants).method
    : explainTapCorrelate(call, target).method;
}

tape('wasm backend: the self-check accepts its kernels and notices wrong ones', async t => {
  const backend = await createWasmBackend({ threads: 1 });
  const methods: string[] = [];
  const kernels: number[] = [];
  const accepted = await selfCheck((plan, winograd) => {
    if (winograd) methods.push(methodOf(plan));
    kernels.push(passesOf(plan).length);
    return backend.compile(plan);
  });
  t.ok(accepted, 'accepted');
  t.ok(
    kernels.every(n => n === 1),
    'each is one kernel',
  );
  t.ok(
    methods.some(m => / \/ 2/.test(m)),
    'one with strides',
  );
  t.ok(methods.length > 0 && methods.every(m => /^Winograd/.test(m)), methods.join('; '));
  const wrong = async (plan: ProgramPlan) => {
    const executable = await backend.compile(plan);
    const read = async (tensor: number) => {
      const values = await executable.read(tensor);
      values[values.length - 1] *= 1.001;
      return values;
    };
    return {
      ...executable,
      write: executable.write.bind(executable),
      run: executable.run.bind(executable),
      dispose: executable.dispose.bind(executable),
      times: executable.times.bind(executable),
      read,
    };
  };
  t.notOk(await selfCheck(wrong), 'one value wrong by a thousandth');
  await backend.close();
});

tape('wasm backend: variables take their next values, across margins too', async t => {
  for (const margin of [undefined, [[0, 0] as const, [2, 1] as const]]) {
    const backend = await createWasmBackend({ threads: 2, measure: true });
    const variable = { ...addOne.tensors[0], role: 'variable' as const, data: new Float32Array(15) };
    const layout = layoutOf([1, 5, 3], margin);
    const [call] = addOne.calls;
    const plan: ProgramPlan = {
      ...addOne,
      bytes: 4096,
      tensors: [variable, { ...addOne.tensors[1], layout, offset: 2048 }],
      calls: [{ ...call, call: { ...call.call, output: layout } }],
      updates: [{ variable: 0, value: 1, inPlace: false }],
    };
    const executable = await backend.compile(plan);
    for (let i = 0; i < 100; i++) await executable.run();
    t.deepEqual([...(await executable.read(0))], new Array(15).fill(100), '100 runs');
    await executable.write(0, new Float32Array(15).fill(7));
    await executable.run();
    t.deepEqual([...(await executable.read(1))], new Array(15).fill(8), 'written');
    const [time] = executable.times();
    t.ok(time.seconds > 0 && time.label === 'map', 'times are measured');
    await executable.dispose();
    await backend.close();
  }
});

tape('wasm backend: many programs at once on the same threads', async t => {
  const backend = await createWasmBackend({ threads: 3 });
  const programs = await Promise.all(Array.from({ length: 5 }, () => backend.compile(addOne)));
  for (const [i, p] of programs.entries()) await p.write(0, new Float32Array(15).fill(i));
  await programs[3].dispose();
  for (const i of [4, 0, 2, 1, 0]) await programs[i].run();
  for (const i of [0, 1, 2, 4])
    t.deepEqual([...(await programs[i].read(1))], new Array(15).fill(i + 1), `program ${i}`);
  await backend.close();
});

tape('wasm backend: wide vectors pass their check, and threads keep no process alive', t => {
  const url = new URL('../../src/backends/wasm/backend.ts', import.meta.url).href;
  const script = `const { createWasmBackend } = await import('${url}');
    console.log((await createWasmBackend({ threads: 2, wide: true })).description);`;
  const { stdout, status } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  t.equal(status, 0, 'the process ends by itself');
  const wide = Number(process.versions.node.split('.')[0]) >= 24 && process.arch === 'x64';
  if (wide) t.match(stdout, /256-bit vectors, fused multiply-add, 2 threads/, stdout.trim());
  else t.match(stdout, /2 threads/, stdout.trim());
  t.end();
});
