// What a person does on the pages, by the words that stand there.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { PASSWORD, screenshots, until } from './world.mjs';

export async function signIn(page, handle, password = PASSWORD) {
  await page.goto('/login');
  await page.getByLabel('Handle').fill(handle);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.waitForURL((url) => url.pathname !== '/login');
}

/** The timeline's entry that shows `text`. */
export const entry = (page, text) => page.locator('#timeline > li.entry').filter({ hasText: text });

export const composer = (page) => page.getByRole('region', { name: 'Write an entry' });

/** Sends one line and waits until the timeline shows `shown` of it. */
export async function write(page, text, { kind, pin, file, shown = text } = {}) {
  const box = composer(page);
  if (kind) await box.getByText(kind, { exact: true }).click();
  if (file) await box.locator('input[type=file]').setInputFiles(file);
  if (file) await box.getByRole('button', { name: /^Remove / }).waitFor();
  if (pin) await box.getByLabel('Pin').check();
  await page.getByLabel('What happened?').fill(text);
  await box.getByRole('button', { name: 'Send' }).click();
  await entry(page, shown).waitFor();
  await until('the queue of unsent entries to be empty', async () => (await page.locator('#queue li').count()) === 0);
  return entry(page, shown);
}

/** Opens the menu of an entry and takes one of its actions. */
export async function act(on, action) {
  await on.getByLabel('Actions for this entry').click();
  await on.locator('details.menu .item').filter({ hasText: action }).click();
}

/** Opens a fold by its words, unless it is open. */
export async function unfold(page, words, within = page) {
  const fold = within.locator('details.fold').filter({ has: page.locator('summary').filter({ hasText: words }) }).last();
  if ((await fold.getAttribute('open')) === null) await fold.locator('summary').first().click();
  return fold;
}

/** An entry that somebody else wrote: it may wait behind "1 new" while one reads further up. */
export const comes = (page, text) =>
  until(`“${text}” to come to the other browser`, async () => {
    if (await entry(page, text).isVisible()) return true;
    const newer = page.locator('#newer');
    // It may come in by itself meanwhile.
    if (await newer.isVisible()) await newer.click({ timeout: 2000 }).catch(() => {});
    return false;
  });

/** Saves the form that `fold` holds, and waits until the server has it. */
export async function save(page, fold, button = /^Save/) {
  const pressed = fold.getByRole('button', { name: button }).first();
  const action = await pressed.evaluate((one) => one.form.action);
  const answer = page.waitForResponse((response) => response.request().method() === 'POST' && response.url() === action);
  await pressed.click();
  const status = (await answer).status();
  assert.equal(status, 200, `the form was answered with ${status}`);
}

export async function setStatus(page, name) {
  const steps = page.getByRole('list', { name: 'Status' });
  await steps.getByRole('button', { name }).click();
  await steps.locator('[aria-current=step]').filter({ hasText: name }).waitFor();
}

export async function picture(page, name, options = {}) {
  fs.mkdirSync(screenshots, { recursive: true });
  await page.screenshot({ path: path.join(screenshots, `${name}.png`), ...options });
}

/** Nothing may have gone wrong in this page: no script error, no violation of the policy, no jump. */
export async function isSound(page, { shift = true } = {}) {
  const seen = await page.evaluate(() => globalThis.seen);
  assert.deepEqual(seen.violations, [], `content security policy at ${page.url()}`);
  assert.deepEqual(page.faults, [], `errors in the console at ${page.url()}`);
  if (shift) assert.ok(seen.shift <= 0.02, `layout shift ${seen.shift.toFixed(4)} at ${page.url()}: ${seen.moved.join('; ')}`);
}

/** A small real PNG in one colour. */
export const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAABAAAAAQCAIAAACQkWg2AAAAFklEQVR42mPgzj5NEmIY1TCqYfhqAADnxkEQWCBeIQAAAABJRU5ErkJggg==',
  'base64',
);
