// Colours for heat maps: viridis (Smith and van der Walt, 2015; CC0), which stays even in brightness, in print and for
// colour-blind readers. Ten of its colours, mixed linearly between.

const stops = [
  [68, 1, 84],
  [72, 40, 120],
  [62, 74, 137],
  [49, 104, 142],
  [38, 130, 142],
  [31, 158, 137],
  [53, 183, 121],
  [109, 205, 89],
  [180, 222, 44],
  [253, 231, 37],
] as const;

/** RGB bytes of the 256 steps from low to high, `[256, 3]`. */
export const heatColours: Uint8Array = Uint8Array.from({ length: 256 * 3 }, (_, i) => {
  const place = (Math.floor(i / 3) / 255) * (stops.length - 1);
  const below = Math.min(stops.length - 2, Math.floor(place));
  const share = place - below;
  return Math.round(stops[below][i % 3] * (1 - share) + stops[below + 1][i % 3] * share);
});

/** The same as a CSS gradient from left to right. */
export const heatGradient = `linear-gradient(to right,${stops.map(stop => `rgb(${stop.join(',')})`).join(',')})`;
