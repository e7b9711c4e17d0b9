// ndconv for programs. From the outside in: `runPipeline` does what the command line does; `compute` runs operations on
// ndarrays; Graph and Program are the engine below both.

export type { Backend, BackendOptions } from './backends/backend.ts';
export { BACKENDS, type BackendName, chooseBackend } from './backends/choose.ts';
export type { Augmentation } from './datasets/augment.ts';
export {
  type Batch,
  type BatchOptions,
  batches,
  createDataset,
  type Dataset,
  type DatasetOptions,
  derivedDataset,
  type LeaveOut,
  readAll,
  type Shares,
  splitByIdentity,
  stack,
} from './datasets/dataset.ts';
export { type Item, listItems } from './datasets/list.ts';
export { type Embedded, type EmbedOptions, embedDataset, embedFields } from './embeddings/embed.ts';
export {
  type EmbeddingNetwork,
  type EmbeddingOptions,
  embedderOf,
  embeddingNetwork,
} from './embeddings/embedder.ts';
export {
  type EmbeddedItem,
  type Embedder,
  type Embeddings,
  selectEmbeddings,
  vectorOf,
} from './embeddings/embeddings.ts';
export { readEmbeddings, writeEmbeddings } from './embeddings/store.ts';
export { NdconvError } from './errors.ts';
export { type AlignOptions, alignDefaults, alignFace } from './faces/align.ts';
export { alignedFaces, type FaceItem } from './faces/aligned.ts';
export { type DetectOptions, detectDefaults, type FaceFinder, openFaceFinder } from './faces/detect.ts';
export { drawFaces } from './faces/draw.ts';
export type { Face, FaceBox, Faces, PhotoFaces } from './faces/face.ts';
export { type FindOptions, findFaces } from './faces/find.ts';
export type { Annotation, Axis, Field, FieldKind } from './formats/field.ts';
export { listFormats, readField, writeField } from './formats/index.ts';
export {
  type Arrays,
  type ComputeOptions,
  compute,
  computeGradients,
  type Results,
  type Values,
} from './graph/compute.ts';
export { differentiate } from './graph/differentiate.ts';
export { Graph, type Value } from './graph/graph.ts';
export { Program } from './graph/program.ts';
export { loadKnownNetwork } from './networks/architectures.ts';
export { evaluateNetwork, planNetwork } from './networks/evaluate.ts';
export { inspectNetwork, type LayerFacts } from './networks/inspect.ts';
export { type LayerDescription, layeredNetwork } from './networks/layered.ts';
export { instantiate, type Layer, type Network } from './networks/network.ts';
export { randomFilters } from './networks/random-filters.ts';
export { acceptOneChannel, type Inflation, inflate, type Projection, project } from './networks/ranks.ts';
export { readNetwork, readTensors } from './networks/readers/index.ts';
export {
  type Box,
  clipBox,
  planReceptive,
  receptiveBox,
  receptiveCells,
  receptiveFields,
} from './networks/receptive-field.ts';
export { addNetwork, getNetwork, listNetworks, openNetwork } from './networks/registry/index.ts';
export { operations } from './ops/index.ts';
export { minimise, type Outcome, type Problem } from './optim/minimise.ts';
export { OPTIMISERS, type OptimiserSettings } from './optim/settings.ts';
export * from './pipeline/index.ts';
export type { Operation as PrepareOperation } from './prepare/operations.ts';
export { applyOperations, type Preparation } from './prepare/run.ts';
export { type UndoOptions, undo } from './prepare/undo.ts';
export { windowAround } from './prepare/window-around.ts';
export { renderReport } from './report/html.ts';
export type { Section } from './report/section.ts';
export {
  fromSpectrogram,
  type Spectrogram,
  type SpectrogramLayout,
  type SpectrogramSettings,
  toSpectrogram,
} from './signal/spectrogram.ts';
export type { Grid, LayerWeights, StyleProblem } from './style/problem.ts';
export { transferStyle } from './style/transfer.ts';
export { packNdarray, toNdarray } from './tensor/ndarray.ts';
export type { Packed } from './tensor/packed.ts';
export { type Maximised, type MaximiseSettings, maximiseActivation, type Target } from './units/maximise.ts';
export { chooseUnits, numbersOf, type UnitNumbers } from './units/numbers.ts';
export { cutPatches, type UnitPatch, type Wanted } from './units/patches.ts';
export { type ScanOptions, scanUnits } from './units/scan.ts';
export { type ViewName, viewNames } from './units/views.ts';
export { type CalibrationChoice, calibrate } from './verification/calibrate.ts';
export {
  type Evaluation,
  type EvaluationChoice,
  evaluateVerifiers,
  hardestPairs,
} from './verification/evaluate.ts';
export {
  type EarlierChoice,
  enrolItems,
  type Gallery,
  meanOfLabels,
  removeLabels,
} from './verification/gallery/gallery.ts';
export {
  type Identification,
  type IdentifyOptions,
  identifyItems,
  thresholdAtRate,
} from './verification/gallery/identify.ts';
export {
  type IdentificationRates,
  identificationRates,
  missesAt,
  ratesAtThreshold,
} from './verification/gallery/rates.ts';
export { openSearcher, type Searcher, type SearchOptions } from './verification/gallery/search.ts';
export { readGallery } from './verification/gallery/store.ts';
export { type LearnChoice, learnVerifier } from './verification/learn.ts';
export { areaUnder, equalErrorRate, rankPairs, rocOf, validationAt } from './verification/metrics.ts';
export { choosePairs, type Pairs } from './verification/pairs.ts';
export {
  givenVerifier,
  probabilityOfSame,
  type Verifier,
  verifierDistances,
} from './verification/verifier.ts';
export { readVerifier, verifierToJson } from './verification/verifier-file.ts';
export { type Verdict, verifyPairs } from './verification/verify.ts';
