// `ndconv run`: checks, then runs with a progress bar, plain lines or JSON events. Ctrl-C finishes the step in hand,
// saves the result so far and exits with 1; a second Ctrl-C ends at once.

import { relative } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { checkPipeline, type RunEvent, runPipeline } from '../../pipeline/run.ts';
import { beginRunning } from '../phase.ts';

interface Flags {
  set: string[];
  out?: string;
  backend?: string;
  seed?: number;
  wide: boolean;
  quiet?: boolean;
  json?: boolean;
}

export async function run(file: string, flags: Flags): Promise<void> {
  const pipeline = await checkPipeline(file, flags);
  beginRunning();
  const wide = flags.wide && Number(process.versions.node.split('.')[0]) >= 24;
  if (wide) setFlagsFromString('--experimental-wasm-revectorize');
  const stop = new AbortController();
  process.on('SIGINT', () => {
    if (stop.signal.aborted) process.exit(130);
    stop.abort();
    if (!flags.quiet && !flags.json)
      console.error(
        '\nstopping after the step in hand; the result so far is saved (Ctrl-C again to end at once)',
      );
  });
  const show = flags.json
    ? (e: RunEvent) => console.log(JSON.stringify(e))
    : flags.quiet
      ? () => {}
      : await printer();
  const { folder, stopped } = await runPipeline(pipeline, {
    out: flags.out,
    wide,
    signal: stop.signal,
    onEvent: show,
  });
  if (!flags.quiet && !flags.json)
    console.log(
      `${stopped ? 'stopped; the result so far is' : 'results are'} in ${relative(process.cwd(), folder) || '.'}`,
    );
  if (stopped) process.exitCode = 1;
}

async function printer(): Promise<(event: RunEvent) => void> {
  const { default: progress } = await import('cli-progress');
  let bar: InstanceType<typeof progress.SingleBar> | undefined;
  let started = 0;
  let last = 0;
  const figures = (f: Record<string, number> = {}) =>
    Object.entries(f)
      .map(([k, v]) => `${k} ${v.toPrecision(4)}`)
      .join('  ');
  const end = () => {
    bar?.stop();
    bar = undefined;
  };
  return e => {
    const now = performance.now();
    if (e.event === 'step') {
      end();
      started = last = now;
      console.log(`${e.id} (${e.uses})`);
    } else if (e.event === 'progress') {
      const left =
        e.fraction > 0 ? Math.round((((now - started) / 1000) * (1 - e.fraction)) / e.fraction) : 0;
      if (process.stdout.isTTY) {
        bar ??= new progress.SingleBar({
          format: '  {bar} {percentage}%  {left} s left  {figures}',
          hideCursor: true,
        });
        if (!bar.isActive) bar.start(100, 0, { left, figures: '' });
        bar.update(Math.floor(100 * e.fraction), { left, figures: figures(e.figures) });
      } else if (now - last > 5000) {
        last = now;
        console.log(`  ${Math.floor(100 * e.fraction)}%  ${left} s left  ${figures(e.figures)}`);
      }
    } else if (e.event === 'note') {
      end();
      console.log(`  ${e.message}`);
    } else if (e.event === 'artefact') {
      end();
      console.log(`  wrote ${relative(process.cwd(), e.path)}`);
    } else if (e.event === 'done') {
      end();
      console.log(`${e.seconds.toFixed(1)} s`);
    }
  };
}
