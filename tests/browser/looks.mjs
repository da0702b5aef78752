// What a page may look like: nothing that axe finds, nothing wider than the window.
import fs from 'node:fs';
import { createRequire } from 'node:module';

const axe = fs.readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

/** What axe finds. The order of headings within what people write in Markdown is theirs. */
export async function findings(page) {
  if (!(await page.evaluate(() => 'axe' in globalThis))) await page.evaluate(axe);
  const { violations } = await page.evaluate((tags) => globalThis.axe.run(document, { runOnly: tags, rules: { 'heading-order': { enabled: false } } }), TAGS);
  return violations.map(({ id, help, nodes }) => {
    const where = nodes.slice(0, 4).map((node) => `    ${node.html.slice(0, 160)}\n      ${node.failureSummary?.replace(/\s+/g, ' ').slice(0, 260)}`);
    return `${id} (${help}), ${nodes.length} times:\n${where.join('\n')}`;
  });
}

/** What is wider than the window, innermost first; nothing when the page does not scroll sideways. */
export const wide = (page) =>
  page.evaluate(() => {
    const width = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= width) return [];
    const over = [...document.body.querySelectorAll('*')].filter((one) => one.getBoundingClientRect().right > width + 1);
    return over.slice(-4).map((one) => one.outerHTML.slice(0, 140));
  });
