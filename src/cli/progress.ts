// Shows a run to a person: a progress bar on a terminal, else plain lines, not more than one every few seconds.

import { resolve } from 'node:path';
import type { RunEvent } from '../pipeline/events.ts';
import { shortPath } from '../pipeline/short-path.ts';
import { paletteFor, printLine } from './streams.ts';

type ProgressEvent = Extract<RunEvent, { event: 'progress' }>;

/** Shows events; `close` removes what is unfinished from the screen. */
export interface Display {
  show(event: RunEvent): void;
  close(): void;
}

/** Files of a step that get a line each. */
const mostFiles = 8;

/** `48 s`, `3 min 05 s`, `2 h 10 min`. */
export function formatSeconds(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const [minutes, rest] = [Math.floor(whole / 60), whole % 60];
  if (minutes < 60) return `${minutes} min ${String(rest).padStart(2, '0')} s`;
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, '0')} min`;
}

/** `12/200  1 min 02 s left  loss 0.01234  3.1/s`: what matters most first, for a narrow terminal cuts off the end. */
function describeProgress({
  figures = {},
  iteration,
  iterations,
  rate,
  left,
  message,
}: ProgressEvent): string {
  return [
    ...(message ? [message] : []),
    ...(iteration !== undefined && iterations !== undefined ? [`${iteration}/${iterations}`] : []),
    ...(left === undefined ? [] : [`${formatSeconds(left)} left`]),
    ...Object.entries(figures).map(([name, value]) => `${name} ${value.toPrecision(4)}`),
    ...(rate === undefined
      ? []
      : [rate >= 1 ? `${rate.toPrecision(2)}/s` : `${(1 / rate).toPrecision(2)} s each`]),
  ].join('  ');
}

/** Milliseconds between plain lines of progress. */
const lineInterval = 5000;

/** Letters of the bar, and on terminals narrower than so many columns. */
const barSize = { usual: 24, narrow: 8, columns: 80 };

/** A display on standard output. */
export async function createDisplay(): Promise<Display> {
  const colours = paletteFor(process.stdout);
  const isTerminal = process.stdout.isTTY === true;
  const { default: progress } = isTerminal ? await import('cli-progress') : { default: undefined };
  let bar: import('cli-progress').SingleBar | undefined;
  let lastLine = 0;
  let folder = '';
  /** Files by the step that wrote them. */
  const written = new Map<string, number>();

  const close = (): void => {
    bar?.stop();
    bar = undefined;
  };
  const line = (text: string): void => {
    close();
    printLine(text);
  };
  const showProgress = (event: ProgressEvent): void => {
    const percent = Math.floor(100 * Math.min(1, event.fraction));
    const text = describeProgress(event);
    if (progress) {
      if (!bar) {
        const format = `  ${colours.good('{bar}')} {percentage}%  {text}`;
        const barsize = process.stdout.columns < barSize.columns ? barSize.narrow : barSize.usual;
        bar = new progress.SingleBar(
          { format, hideCursor: true, clearOnComplete: true, barsize, gracefulExit: false },
          progress.Presets.shades_classic,
        );
        bar.start(100, 0, { text: '' });
      }
      bar.update(percent, { text });
      return;
    }
    const now = performance.now();
    if (now - lastLine < lineInterval) return;
    lastLine = now;
    line(`  ${String(percent).padStart(3)} %  ${text}`);
  };

  /** Says how many files steps wrote that were not listed. */
  const sumUpFiles = (): void => {
    for (const [id, count] of written) {
      if (count > mostFiles) line(`  wrote ${count - mostFiles} more files, listed in run.json`);
      written.delete(id);
    }
  };

  return {
    close,
    show(event) {
      switch (event.event) {
        case 'start':
          folder = event.folder;
          return line(`${colours.strong(event.name)}  backend ${event.backend}, seed ${event.seed}`);
        case 'step': {
          sumUpFiles();
          lastLine = performance.now();
          const uses = event.id === event.uses ? '' : ` (${event.uses})`;
          return line(`[${event.index}/${event.count}] ${colours.strong(event.id)}${uses}`);
        }
        case 'backend':
          return line(colours.faint(`  on ${event.name}: ${event.description}`));
        case 'progress':
          return showProgress(event);
        case 'note':
          return line(`  ${event.message}`);
        case 'left-out':
          return line(colours.bad(`  left out: ${event.name}: ${event.reason}`));
        case 'artefact':
          written.set(event.id, (written.get(event.id) ?? 0) + 1);
          if (written.get(event.id)! > mostFiles) return;
          return line(`  wrote ${colours.good(shown(`${folder}/${event.path}`))}`);
        case 'skipped':
          return line(colours.faint(`  ${event.id} left out`));
        case 'done':
          sumUpFiles();
          return line(describeEnd(event));
        case 'error':
          return close();
      }
    },
  };
}

const shown = (path: string): string => shortPath(resolve(path));

function describeEnd(event: Extract<RunEvent, { event: 'done' }>): string {
  const time = formatSeconds(event.seconds);
  if (event.status === 'done') {
    const { leftOut } = event;
    const without = leftOut === 0 ? '' : `, without ${leftOut} input${leftOut === 1 ? '' : 's'} left out`;
    return `done in ${time}${without}; results are in ${shown(event.folder)}`;
  }
  const saved = event.artefacts.some(path => path !== 'run.json' && path !== 'report.html');
  return saved
    ? `stopped after ${time}; the result so far is in ${shown(event.folder)}`
    : `stopped after ${time}; there was no result to save yet`;
}
