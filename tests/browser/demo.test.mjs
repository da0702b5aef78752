// The demo as a visitor sees it: every page that a link leads to, in both themes, wide and narrow; and it moves.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import test from 'node:test';
import { isSound, picture } from './actions.mjs';
import { findings, wide } from './looks.mjs';
import { World, until } from './world.mjs';

/** Pages of one kind that are looked at: of forty incidents, the ones that differ most are among the first. */
const ALIKE_MAX = 2;

/** `/incidents/INC-12?view=split` and `/incidents/INC-9` are of one kind only where the query is the same. */
const kind = (address) => address.pathname.replace(/[0-9a-f]{8}-[0-9a-f-]{27}|INC-\d+|LB\d+/g, '*') + address.search.replace(/=[^&]*/g, '');

/** Every page that links lead to from `/` on, at most a few of a kind. */
async function pages(page) {
  const [found, kinds] = [new Set(['/']), new Map()];
  for (const path of found) {
    const answer = await page.goto(path);
    assert.ok(answer.status() < 400, `${path} answers with ${answer.status()}`);
    const links = await page.locator('a[href^="/"]').evaluateAll((all) => all.map((one) => one.getAttribute('href')));
    for (const link of links) {
      const address = new URL(link, page.url());
      const path = address.pathname + address.search;
      // Files, and what opens for programs.
      if (found.has(path) || /^\/(api|static|attachments)\/|\/config$|\.(md|json|csv|patch|cfg)$|\/(export|raw)\b/.test(address.pathname)) continue;
      const alike = kinds.get(kind(address)) ?? 0;
      if (alike >= ALIKE_MAX) continue;
      kinds.set(kind(address), alike + 1);
      found.add(path);
    }
  }
  return [...found];
}

test('the demo', async (t) => {
  const world = await World.make();
  t.after(() => world.stop());
  const link = await world.demo();
  const first = await world.visitor();
  await first.goto(link);
  await first.getByText(/demo/i).first().waitFor();
  const state = await first.context().storageState();

  await t.test('the live incident moves', async () => {
    const page = await world.visitor({ storageState: state });
    await page.goto('/');
    const room = await page.locator('a[href^="/incidents/INC-"]').first().getAttribute('href');
    await page.goto(room);
    // What comes while one reads further up waits behind a button.
    const lines = () => page.locator('#timeline > li').count();
    const waiting = () => page.getByRole('button', { name: /^\d+ new$/ }).isVisible();
    const before = await lines();
    const chart = () => page.getByRole('region', { name: /Flight recorder/ }).first().innerHTML();
    const drawn = await chart();
    await until('the chart to move', async () => (await chart()) !== drawn);
    await until('an entry to come', async () => (await lines()) > before || (await waiting()));
    await page.context().close();
  });

  const all = await pages(first);
  t.diagnostic(`${all.length} pages: ${all.join(' ')}`);
  assert.ok(all.length > 40, `${all.length} pages`);

  for (const [theme, width] of [['light', 1440], ['dark', 390]]) {
    await t.test(`every page, ${theme}, ${width} px`, async () => {
      const page = await world.visitor({ storageState: state, colorScheme: theme, viewport: { width, height: width > 500 ? 900 : 844 } });
      const faults = new Map();
      for (const path of all) {
        page.faults.length = 0;
        await page.goto(path, { waitUntil: 'load' });
        await page.evaluate(() => document.fonts.ready);
        const name = path.slice(1).replace(/[^\w-]+/g, '_').slice(0, 60) || 'dashboard';
        await picture(page, `demo-${name}-${theme}-${width}`, { fullPage: true });
        const over = await wide(page);
        const problems = [...(await findings(page)), ...over.map((one) => `wider than the window: ${one}`)];
        await isSound(page).catch((error) => problems.push(error.message));
        for (const problem of problems) faults.set(problem, [...(faults.get(problem) ?? []), path]);
      }
      assert.equal(faults.size, 0, [...faults].map(([problem, where]) => `${problem}\n    at ${where.join(' ')}`).join('\n'));
      await page.context().close();
    });
  }

  await t.test('nothing is left behind', async () => {
    await first.context().close();
    await world.server.stop('SIGINT');
    assert.deepEqual(fs.readdirSync(world.folder).filter((name) => name.startsWith('afterload-demo-')), []);
  });
});
