// `ndconv run`: checks, then runs with a progress bar, plain lines or JSON events. Ctrl-C finishes the iteration in
// hand, saves the result so far and ends with 1; a second Ctrl-C ends at once with 130.

import { NdconvError } from '../../errors.ts';
import { removeUnfinished } from '../../pipeline/artefacts.ts';
import { checkPipeline, type RunEvent, runPipeline, type StepTable } from '../../pipeline/index.ts';
import { outputFolder } from '../../pipeline/run.ts';
import { explainDefect, explainFailure, failureEvent } from '../failure.ts';
import { backendOf, expectWasm, type RunFlags } from '../flags.ts';
import { createDisplay, type Display } from '../progress.ts';
import { printError, printLine } from '../streams.ts';

const fastNode = 24;

/** Runs a pipeline and returns the exit code; throws what is wrong before it runs. */
export async function run(file: string, flags: RunFlags, steps: StepTable): Promise<number> {
  const { set, seed, quiet = false, json = false } = flags;
  const { threads, wide, winograd } = flags;
  const target = { threads, wide, winograd };
  const pipeline = await checkPipeline(file, { set, seed, backend: backendOf(flags), steps, target });
  outputFolder(pipeline, flags.out);
  await expectWasm(pipeline.backend, flags);
  const node = Number(process.versions.node.split('.')[0]);
  if (node < fastNode && !quiet && !json) {
    printError(
      `This is Node ${process.versions.node}; the wasm kernels run faster on Node ${fastNode} or newer.`,
    );
  }

  const display = json ? jsonDisplay : quiet ? silentDisplay : await createDisplay();
  const stop = new AbortController();
  const release = listenForStop(stop, display, !quiet && !json);
  try {
    const result = await runPipeline(pipeline, {
      out: flags.out,
      ...(flags.threads === undefined ? {} : { threads: flags.threads }),
      wide: flags.wide,
      ...(flags.winograd ? {} : { winograd: false }),
      signal: stop.signal,
      onEvent: display.show,
    });
    return result.status !== 'done' ? 1 : result.leftOut > 0 ? 3 : 0;
  } catch (error) {
    display.close();
    if (json) printLine(JSON.stringify(failureEvent(error)));
    else if (error instanceof NdconvError) explainFailure(error);
    if (!(error instanceof NdconvError)) explainDefect(error);
    return 1;
  } finally {
    release();
  }
}

const silentDisplay: Display = { show: () => {}, close: () => {} };
const jsonDisplay: Display = { show: (event: RunEvent) => printLine(JSON.stringify(event)), close: () => {} };

/** Stops the run at the first signal and the program at the second; returns how to stop listening. */
function listenForStop(stop: AbortController, display: Display, speaks: boolean): () => void {
  const onSignal = (signal: NodeJS.Signals): void => {
    if (stop.signal.aborted) {
      display.close();
      removeUnfinished();
      process.exit(signal === 'SIGTERM' ? 143 : 130);
    }
    stop.abort();
    display.close();
    if (speaks)
      printError(
        'Stopping after the iteration in hand; what there is will be saved. Ctrl-C again ends at once.',
      );
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  return () => {
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
  };
}
