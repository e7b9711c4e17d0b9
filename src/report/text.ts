// Text of the report: escaping for HTML and writing numbers. Nothing here knows about blocks or fields.

const entities: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Text made safe for element content and quoted attributes; control characters that HTML forbids become U+FFFD. */
export const escapeHtml = (text: string): string =>
  text
    .toWellFormed()
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are exactly the characters to be replaced
    .replace(/[\0-\x08\x0b\x0c\x0e-\x1f\x7f]/g, '\ufffd')
    .replace(/[&<>"']/g, character => entities[character]);

const superscripts = '⁰¹²³⁴⁵⁶⁷⁸⁹';

/** `10ⁿ` for people. */
export const powerOfTen = (exponent: number): string =>
  '10' +
  (exponent < 0 ? '⁻' : '') +
  [...String(Math.abs(exponent))].map(digit => superscripts[+digit]).join('');

const isPlain = (value: number): boolean => value === 0 || (Math.abs(value) >= 1e-3 && Math.abs(value) < 1e6);

/** A number in running text or at an axis, with at most `digits` significant digits: `−0.25`, `1.5×10⁻⁷`. */
export function formatNumber(value: number, digits = 4): string {
  if (Number.isNaN(value)) return 'not a number';
  if (!Number.isFinite(value)) return value > 0 ? '∞' : '−∞';
  const size = Math.abs(value);
  const sign = value < 0 ? '−' : '';
  if (isPlain(value)) {
    return sign + (Number.isInteger(value) ? String(size) : String(Number(size.toPrecision(digits))));
  }
  const [mantissa, exponent] = size.toExponential(digits - 1).split('e');
  const short = String(Number(mantissa));
  return sign + (short === '1' ? '' : short + '×') + powerOfTen(Number(exponent));
}

/** A number in a table cell: plain characters, so that it can be copied into a program. */
export function formatCell(value: number): string {
  if (!Number.isFinite(value) || Number.isInteger(value)) return String(value);
  return String(Number(value.toPrecision(6)));
}

/** A count with its noun: `1 sample`, `12 samples`. */
export const count = (number: number, noun: string): string => `${number} ${noun}${number === 1 ? '' : 's'}`;

/** A share of the whole, never rounded to nothing or to all of it. */
export function formatPercent(part: number, whole: number): string {
  const percent = (100 * part) / whole;
  if (percent > 0 && percent < 0.1) return 'under 0.1 %';
  if (percent < 100 && percent > 99.9) return 'over 99.9 %';
  return `${Number(percent.toPrecision(percent < 10 ? 2 : 3))} %`;
}
