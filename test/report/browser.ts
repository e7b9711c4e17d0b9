// A page in a real browser without a network: what a visitor does there is played, and what the page shows then is given
// back.

import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';

/** A browser, where there is one. */
export const browser = ['chromium', 'chromium-browser', 'google-chrome', 'chrome']
  .flatMap(name => (process.env.PATH ?? '').split(delimiter).map(folder => join(folder, name)))
  .find(existsSync);

const offline = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--window-size=1200,1600',
];

/**
 * Milliseconds that pass for a page, as fast as it asks for nothing. Decoding takes time of its own, which on a busy machine can
 * be more than a page is given: then it is visited once more, for longer.
 */
const budgets = [5_000, 30_000, 120_000];

/** Opens a page, runs `actions` (the body of an async function) in it and returns what they return. */
export async function visit<Seen>(html: string, actions: string): Promise<Seen & { error?: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'ndconv-report-'));
  try {
    const page = join(folder, 'page.html');
    // The page's policy allows no script but its own; for the visit it makes room for the visitor.
    const open = html.replace(/<meta http-equiv="Content-Security-Policy"[^>]*>/, '');
    const visitor = `<pre id="seen"></pre><script>(async () => { ${actions} })().then(
      seen => { document.querySelector('#seen').textContent = encodeURIComponent(JSON.stringify(seen)); },
      error => { document.querySelector('#seen').textContent = encodeURIComponent(JSON.stringify({ error: String(error.stack) })); })</script>`;
    await writeFile(page, open.replace('</body>', `${visitor}</body>`));
    for (const budget of budgets) {
      const profile = join(folder, `profile-${budget}`);
      const { stdout } = await promisify(execFile)(
        browser!,
        [
          ...offline,
          `--virtual-time-budget=${budget}`,
          `--user-data-dir=${profile}`,
          '--dump-dom',
          pathToFileURL(page).href,
        ],
        { maxBuffer: 2 ** 27, timeout: 60_000 },
      );
      const seen = /<pre id="seen">([^<]*)<\/pre>/.exec(stdout)?.[1];
      if (seen) return JSON.parse(decodeURIComponent(seen));
    }
    throw new Error('the visit did not end');
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}
