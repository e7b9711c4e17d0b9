import test from 'tape';
import { escapeHtml, formatCell, formatNumber, formatPercent, powerOfTen } from '../../src/report/text.ts';

test('text that could be markup is escaped, and forbidden characters replaced', t => {
  t.equal(escapeHtml(`<b a="1" c='2'>&amp;`), '&lt;b a=&quot;1&quot; c=&#39;2&#39;&gt;&amp;amp;');
  t.equal(escapeHtml('a\0b\x1b[31mc\td\n'), 'a\ufffdb\ufffd[31mc\td\n');
  t.equal(escapeHtml('half \ud800 pair'), 'half \ufffd pair', 'a lone surrogate');
  t.equal(escapeHtml('Dvořák 🎻 ∂x'), 'Dvořák 🎻 ∂x');
  t.end();
});

test('numbers are written for people', t => {
  const cases: [number, string][] = [
    [0, '0'],
    [-0.25, '−0.25'],
    [123.456, '123.5'],
    [999999, '999999'],
    [1e6, '10⁶'],
    [-2.5e7, '−2.5×10⁷'],
    [1.5e-7, '1.5×10⁻⁷'],
    [Number.NaN, 'not a number'],
    [Number.POSITIVE_INFINITY, '∞'],
    [Number.NEGATIVE_INFINITY, '−∞'],
  ];
  for (const [value, text] of cases) t.equal(formatNumber(value), text);
  t.equal(powerOfTen(-12), '10⁻¹²');
  t.equal(formatPercent(1, 1e6), 'under 0.1 %');
  t.equal(formatPercent(1, 3), '33.3 %');
  t.equal(formatPercent(999999, 1e6), 'over 99.9 %');
  t.end();
});

test('cells can be copied into a program', t => {
  for (const value of [1 / 3, -123456.789, 1e-9, 42, 1e21]) {
    t.ok(Math.abs(Number(formatCell(value)) / value - 1) < 1e-5, formatCell(value));
  }
  t.equal(formatCell(Number.NaN), 'NaN');
  t.equal(formatCell(Number.NEGATIVE_INFINITY), '-Infinity');
  t.end();
});
