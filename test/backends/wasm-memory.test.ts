// Memory of the wasm backend: a thousand runs in a row, and programs made and disposed of one after the other, leave
// nothing behind; what a program takes is what was said before.

import { spawnSync } from 'node:child_process';
import tape from 'tape';

const source = (file: string) => new URL(`../../src/${file}`, import.meta.url).href;

/** Runs a script in a process of its own, with a collector to call; gives what it prints. */
function measured(script: string): Record<string, number> {
  const prelude = `
    import { createWasmBackend } from '${source('backends/wasm/backend.ts')}';
    import { forecastWasm } from '${source('backends/forecast.ts')}';
    import { differentiate } from '${source('graph/differentiate.ts')}';
    import { Graph } from '${source('graph/graph.ts')}';
    import { planProgram } from '${source('graph/plan.ts')}';
    import { Program } from '${source('graph/program.ts')}';
    import { operations as op } from '${source('ops/index.ts')}';
    import { hasRelaxed } from '${source('backends/wasm/features.ts')}';
    const threads = 2;
    const backend = await createWasmBackend({ threads });
    const used = () => {
      for (let i = 0; i < 3; i++) gc();
      const { heapUsed, external, arrayBuffers, rss } = process.memoryUsage();
      return { held: heapUsed + external + arrayBuffers, rss };
    };
    // A step of gradient descent on filters, with a pool and a Gram matrix.
    function record(size, channels) {
      const graph = new Graph();
      const x = graph.input('x', [1, ...size, channels]);
      const w = graph.variable('w', [...size.map(() => 3), channels, channels], new Float32Array(3 ** size.length * channels ** 2).fill(0.01));
      const y = op.maxPool(op.relu(op.convolution(x, w, undefined, { padding: 1 })), { window: 2 });
      const loss = op.reshape(op.mean(op.gram(y)), [1]);
      const [gradient] = differentiate(loss, [w]);
      const next = graph.map(['sub', 'x0', ['mul', 1e-9, 'x1']], [w, gradient]);
      return { graph, request: { outputs: { loss }, updates: [{ variable: w, value: next }] } };
    }`;
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    ['--expose-gc', '--disable-warning=ExperimentalWarning', '--input-type=module', '-e', prelude + script],
    { encoding: 'utf8', timeout: 120_000 },
  );
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout);
}

const MEGA = 2 ** 20;

tape('wasm backend: a thousand runs in a row leave nothing behind', t => {
  const { grown, losses } = measured(`
    const { graph, request } = record([12, 14], 8);
    const program = await Program.compile(graph, request, backend);
    const x = new Float32Array(12 * 14 * 8).fill(0.5);
    let before, losses = 0;
    for (let i = 0; i < 1200; i++) {
      await program.write('x', x);
      await program.run();
      if ((await program.readScalar('loss')) > 0) losses++;
      if (i === 200) before = used();
    }
    console.log(JSON.stringify({ grown: used().held - before.held, losses }));`);
  t.equal(losses, 1200, 'every run gave a loss');
  t.ok(grown < MEGA / 4, `${(grown / 1024).toFixed(0)} KiB more after a thousand runs`);
  t.end();
});

tape('wasm backend: programs made, run and disposed of leave nothing behind', t => {
  const { grown } = measured(`
    let before;
    for (let i = 0; i < 60; i++) {
      const { graph, request } = record([64, 64], 8);
      const program = await Program.compile(graph, request, backend);
      await program.run();
      await program.dispose();
      // Workers forget a program when they next wake.
      await new Promise(done => setTimeout(done, 10));
      if (i === 20) before = used();
    }
    console.log(JSON.stringify({ grown: used().held - before.held }));`);
  t.ok(grown < 8 * MEGA, `${(grown / MEGA).toFixed(1)} MiB more after forty programs`);
  t.end();
});

tape('wasm backend: what a program takes is what was forecast', t => {
  const { forecast, taken } = measured(`
    const { graph, request } = record([512, 512], 32);
    const target = { relaxed: hasRelaxed(), wide: false, threads };
    const { plan } = planProgram(graph, request);
    const forecast = forecastWasm(target).bytes(plan);
    const x = new Float32Array(512 * 512 * 32).fill(0.5);
    const before = used();
    const program = await Program.compile(graph, request, backend);
    // Pages that are only read take no memory.
    await program.write('x', x);
    await program.run();
    await program.run();
    console.log(JSON.stringify({ forecast, taken: used().rss - before.rss }));`);
  const ratio = taken / forecast;
  t.ok(ratio < 1.1, `${(taken / MEGA).toFixed(0)} of ${(forecast / MEGA).toFixed(0)} MiB`);
  t.ok(ratio > 0.8, 'and not far less');
  t.end();
});
