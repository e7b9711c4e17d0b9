// Whether a run has begun: failures before it are the file's or the arguments' (exit code 2), later ones the run's (1).

let running = false;
export const isRunning = (): boolean => running;
export const beginRunning = (): void => {
  running = true;
};
