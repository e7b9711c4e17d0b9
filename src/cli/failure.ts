// How failures are told. What a user can cause or mend is a message; anything else is a defect, with its stack.

import type { NdconvError } from '../errors.ts';
import { type Diagnostic, PipelineError, renderDiagnostics } from '../pipeline/diagnostic.ts';
import type { EventProblem, RunEvent } from '../pipeline/events.ts';
import { paletteFor, printError, printLine } from './streams.ts';

/** The event of a failure, for `--json`. */
export function failureEvent(error: unknown): RunEvent {
  const { tag = 'Defect', message = String(error), fields } = (error ?? {}) as Partial<NdconvError>;
  return {
    event: 'error',
    tag,
    message: error instanceof PipelineError ? `${countProblems(error)} in the pipeline` : message,
    ...(typeof fields?.step === 'string' ? { id: fields.step } : {}),
    ...(error instanceof PipelineError ? { problems: error.problems.map(toEvent) } : {}),
  };
}

/** The event of arguments that are wrong, for `--json`. */
export const argumentEvent = ({ message }: Error): RunEvent => ({
  event: 'error',
  tag: 'PipelineError',
  message: message.replace(/^error: /, ''),
});

const toEvent = ({ place, message, expected, remedy }: Diagnostic): EventProblem => ({
  file: place.file,
  line: place.line,
  column: place.column,
  message,
  ...(expected === undefined ? {} : { expected }),
  ...(remedy === undefined ? {} : { remedy }),
});

const countProblems = ({ problems }: PipelineError): string =>
  problems.length === 1 ? '1 problem' : `${problems.length} problems`;

/** Prints a failure that the user can mend. */
export function explainFailure(error: NdconvError, { json = false } = {}): void {
  if (json) {
    printLine(JSON.stringify(failureEvent(error)));
    return;
  }
  const colours = paletteFor(process.stderr);
  if (error instanceof PipelineError) {
    printError(renderDiagnostics(error.problems, colours));
    if (error.problems.length > 1) printError(`\n${colours.bad(countProblems(error))}`);
    return;
  }
  printError(`${colours.bad('ndconv:')} ${error.message}`);
  if (process.env.NDCONV_DEBUG) printError(String(error.stack));
}

/** Prints a defect of the program. */
export function explainDefect(error: unknown): void {
  printError(error instanceof Error ? (error.stack ?? error.message) : String(error));
  if (error instanceof Error && error.cause !== undefined) printError(`caused by ${String(error.cause)}`);
  printError('This is a defect of ndconv. Please report it, with the text above and the pipeline file.');
}
