// Every failure that a user can cause or mend is an NdconvError: a tag that says what kind it is, a message
// that says where and what to do, and fields for programs. Anything else that is thrown is a defect.

/** What kind of failure it is; decides the exit code together with the moment it happens. */
export type ErrorTag =
  | 'ShapeError' // sizes that do not fit together
  | 'FormatError' // a file that is missing, truncated, of another format, or holds impossible values
  | 'PipelineError' // the YAML file or the command line
  | 'NetworkError' // a network description or its weights
  | 'EmbeddingError' // embeddings, pairs or verifiers that cannot be compared or learned from
  | 'BackendError' // a backend that is absent or failed
  | 'MemoryError' // more memory needed than there is
  | 'RunError'; // a run that cannot go on (a loss that became NaN)

/** A failure with a tag, a message for people and fields for programs. */
export class NdconvError extends Error {
  readonly tag: ErrorTag;
  readonly fields: Readonly<Record<string, unknown>>;

  constructor(tag: ErrorTag, message: string, fields: Record<string, unknown> = {}, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = tag;
    this.tag = tag;
    this.fields = fields;
  }
}
