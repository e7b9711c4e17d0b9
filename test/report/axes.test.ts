import fc from 'fast-check';
import test from 'tape';
import { linearScale, logScale, type Scale } from '../../src/report/axes.ts';

/** What holds for every scale over `[low, high]`. */
function problemsOf(scale: Scale, low: number, high: number): string[] {
  const problems: string[] = [];
  const slack = 1e-6 * (scale.high - scale.low);
  if (!(scale.low <= low + slack && scale.high >= high - slack)) problems.push('does not cover the range');
  if (scale.ticks.length < 2 || scale.ticks.length > 24) problems.push(`${scale.ticks.length} ticks`);
  if (scale.labels.length !== scale.ticks.length) problems.push('labels and ticks differ in number');
  if (new Set(scale.labels.filter(label => label)).size !== scale.labels.filter(label => label).length)
    problems.push(`labels repeat: ${scale.labels.join(' ')}`);
  for (const tick of scale.ticks) {
    const place = scale.position(tick);
    if (!(place >= -1e-6 && place <= 1 + 1e-6)) problems.push(`tick ${tick} lies at ${place}`);
  }
  if (Math.abs(scale.position(scale.low)) > 1e-9 || Math.abs(scale.position(scale.high) - 1) > 1e-9)
    problems.push('the ends do not lie at 0 and 1');
  return problems;
}

test('round ticks', t => {
  t.deepEqual(linearScale(0, 1).labels, ['0.0', '0.2', '0.4', '0.6', '0.8', '1.0']);
  t.deepEqual(linearScale(-3, 7).ticks, [-4, -2, 0, 2, 4, 6, 8]);
  t.deepEqual(linearScale(0, 2999, 6, false).labels, ['0', '500', '1000', '1500', '2000', '2500']);
  t.deepEqual(linearScale(0, 3, 8, false, true).labels, ['0', '1', '2', '3'], 'whole numbers');
  t.deepEqual(linearScale(0, 4e-7, 4).labels, ['0', '10⁻⁷', '2×10⁻⁷', '3×10⁻⁷', '4×10⁻⁷']);
  t.deepEqual(logScale(1e-7, 3).labels.filter(label => label)[0], '10⁻⁷');
  t.deepEqual(logScale(2, 40).labels, ['2', '5', '10', '20', '50']);
  t.deepEqual(
    logScale(100, 110).ticks.slice(0, 2),
    [100, 102],
    'narrow logarithmic ranges have linear ticks',
  );
  t.end();
});

test('ranges that cannot be subtracted are widened or limited', t => {
  for (const [low, high] of [
    [5, 5],
    [0, 0],
    [-1e-320, 1e-320],
    [1, 1 + 1e-15],
    [-1.7e308, 1.7e308],
  ]) {
    const scale = linearScale(low, high);
    t.ok(scale.high > scale.low && scale.ticks.every(Number.isFinite), `${low} to ${high}: ${scale.labels}`);
  }
  for (const [low, high] of [
    [7, 7],
    [5e-324, 1e-323],
    [5e-324, 1.7e308],
    [1e308, 1.7e308],
  ]) {
    const scale = logScale(low, high);
    t.ok(
      scale.low > 0 && scale.high > scale.low && scale.ticks.every(Number.isFinite),
      `log ${low} to ${high}`,
    );
    t.ok(scale.ticks.length <= 24, `${scale.ticks.length} ticks`);
  }
  t.end();
});

test('any range gets a few distinct labels that lie inside', t => {
  const value = fc.double({ min: -1e9, max: 1e9, noNaN: true });
  fc.assert(
    fc.property(value, fc.double({ min: 1e-4, max: 1e9, noNaN: true }), fc.boolean(), (low, span, round) => {
      const scale = linearScale(low, low + span, 5, round);
      const problems = span > 1e-6 * Math.abs(low) ? problemsOf(scale, low, low + span) : [];
      if (problems.length > 0) throw new Error(problems.join('; '));
    }),
    { seed: 1, numRuns: 400 },
  );
  fc.assert(
    fc.property(
      fc.double({ min: -30, max: 30, noNaN: true }),
      fc.double({ min: 0.01, max: 40, noNaN: true }),
      (from, decades) => {
        const [low, high] = [10 ** from, 10 ** (from + decades)];
        const problems = problemsOf(logScale(low, high), low, high);
        if (problems.length > 0) throw new Error(`${low} to ${high}: ${problems.join('; ')}`);
      },
    ),
    { seed: 1, numRuns: 400 },
  );
  t.pass('400 linear and 400 logarithmic ranges');
  t.end();
});
