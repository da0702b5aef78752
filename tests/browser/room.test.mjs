// Several people in one room, each with a browser: who is there, what each works on, where each goes on reading, and
// that nothing that is being read moves when the others write.
import assert from 'node:assert/strict';
import test from 'node:test';
import { comes, composer, entry, isSound, picture, signIn, write } from './actions.mjs';
import { findings, wide } from './looks.mjs';
import { Rest } from './rest.mjs';
import { PASSWORD, World, until } from './world.mjs';

const ROOM = '/incidents/INC-1';

test('several people in a room', async (t) => {
  const world = await World.make();
  t.after(() => world.stop());
  await world.serve();
  const api = new Rest(world.url, (await world.command('token', 'create', 'room', '--scopes', 'admin')).trim());
  for (const [handle, role] of [['mk', 'responder'], ['jl', 'responder'], ['vw', 'viewer'], ['ao', 'responder']]) {
    await api.post('/api/v1/users', { handle, password: PASSWORD, role });
  }
  await api.post('/api/v1/incidents', { title: 'Checkout answers slowly', severity: 'sev2' });
  const add = (title, more = {}) => api.post('/api/v1/incidents/INC-1/timeline', { title, ...more });
  const began = Date.now() - 3600_000;
  for (let n = 1; n <= 60; n += 1) await add(`Entry number ${n}`, { occurred_at: new Date(began + n * 10_000).toISOString(), body: n % 5 ? '' : 'A second line of it.' });
  const [mk, jl, vw] = [await world.visitor(), await world.visitor(), await world.visitor({ colorScheme: 'dark', viewport: { width: 390, height: 844 } })];
  for (const [page, handle] of [[mk, 'mk'], [jl, 'jl'], [vw, 'vw']]) await signIn(page, handle);
  const people = (page) => page.getByRole('list', { name: 'People in the room' });
  const person = (page, handle) => people(page).getByRole('listitem').filter({ hasText: handle });
  const newer = (page) => page.locator('#newer');
  const line = (page) => page.locator('#timeline > #unread');
  const toEnd = (page) => page.evaluate(() => [...document.querySelectorAll('#timeline .entry')].pop().scrollIntoView({ block: 'end' }));
  /** Where a row of the timeline stands in the window. */
  const top = (page, text) => entry(page, text).evaluate((one) => one.getBoundingClientRect().top);
  /** Looks at the end of the room until the server knows that everything is read. */
  const readAll = (page) => until('everything to be read', async () => {
    await page.goto(ROOM);
    await toEnd(page);
    const { read, newest } = await page.evaluate(() => ({ ...document.querySelector('[data-room]').dataset }));
    if (Number(read) >= Number(newest)) return true;
    await page.waitForResponse((answer) => answer.url().endsWith('/read'), { timeout: 15_000 }).catch(() => {});
    return false;
  }, 180);

  await t.test('who is there is seen by the others, and who leaves is gone', async () => {
    await mk.goto(ROOM);
    await person(mk, 'mk').getByText('you').waitFor();
    await Promise.all([jl.goto(ROOM), vw.goto(ROOM)]);
    for (const handle of ['jl', 'vw']) await person(mk, handle).waitFor();
    await person(jl, 'mk').waitFor();
    await vw.goto('/incidents');
    await person(mk, 'vw').waitFor({ state: 'detached' });
    await vw.goto(ROOM);
    await person(mk, 'vw').waitFor();
    await isSound(mk);
  });

  await t.test('what somebody works on: w, live at the others, taken back', async () => {
    await mk.keyboard.press('w');
    assert.equal(await mk.evaluate(() => document.activeElement.id), 'working');
    await mk.keyboard.type('rolling back lb-2');
    await mk.keyboard.press('Enter');
    await person(jl, 'mk').getByText('rolling back lb-2').waitFor();
    await person(vw, 'mk').getByText('rolling back lb-2').waitFor();
    assert.equal(await vw.getByLabel('What you are working on').count(), 0, 'a viewer says nothing');
    // What somebody types is not taken away by what the others do.
    await mk.keyboard.press('w');
    await mk.keyboard.type('watching');
    await jl.getByLabel('What you are working on').fill('calling the <b>bank</b>');
    await jl.getByRole('button', { name: 'Set' }).click();
    await person(mk, 'jl').getByText('calling the <b>bank</b>').waitFor();
    assert.equal(await mk.getByLabel('What you are working on').inputValue(), 'watching');
    await mk.keyboard.press('Escape');
    await mk.getByRole('button', { name: 'Done' }).click();
    await person(jl, 'mk').getByText('rolling back').waitFor({ state: 'detached' });
    await isSound(jl);
    await isSound(vw);
  });

  await t.test('what arrives while one reads further up waits, and nothing moves', async () => {
    await readAll(mk);
    await entry(mk, /Entry number 20\b/).evaluate((one) => one.scrollIntoView({ block: 'center' }));
    await mk.getByLabel('What happened?').fill('half a thought');
    const before = await top(mk, 'Entry number 20');
    await mk.evaluate(() => {
      globalThis.seen.shift = 0;
      globalThis.told = [];
      new MutationObserver(() => globalThis.told.push(document.querySelector('#say').textContent)).observe(document.querySelector('#say'), { childList: true });
    });
    for (const n of [1, 2, 3]) await add(`Later ${n}`);
    await add('Remembered late', { occurred_at: new Date(began + 15_000).toISOString() });
    await until('4 new', async () => (await newer(mk).innerText()) === '4 new');
    assert.ok(await newer(mk).isVisible());
    assert.equal(await entry(mk, 'Later 1').count(), 0);
    assert.equal(await top(mk, 'Entry number 20'), before, 'the row stands where it stood');
    // Together, or in parts where the machine is busy; each once.
    await until('the live region to say it once', async () => {
      const told = (await mk.evaluate(() => globalThis.told)).join('. ');
      const counted = [...told.matchAll(/New entry by|(\d+) new entries/g)].map(([, n]) => Number(n ?? 1));
      if (counted.reduce((a, b) => a + b, 0) === 4) return true;
      throw new Error(told);
    });
    const count = await mk.evaluate(() => globalThis.seen.shift);
    assert.equal(count, 0, `layout shift ${count}`);
    await picture(mk, 'room-4-new');
    // Shown from a row below the one that belongs further up: the rows still stand.
    await newer(mk).click();
    await entry(mk, 'Later 3').waitFor();
    assert.ok(!(await newer(mk).isVisible()));
    await line(mk).getByText('4 new').waitFor();
    assert.equal(await mk.getByLabel('What happened?').inputValue(), 'half a thought', 'the text is kept');
    assert.equal(await line(mk).evaluate((one) => one.nextElementSibling.innerText.includes('Remembered late')), true, 'the line is above the first');
    await mk.getByLabel('What happened?').fill('');
  });

  await t.test('scrolled to the end, what waited comes in without moving what is read', async () => {
    await entry(mk, /Entry number 30\b/).evaluate((one) => one.scrollIntoView({ block: 'center' }));
    await add('Above all', { occurred_at: new Date(began + 5_000).toISOString() });
    await add('At the end');
    await until('2 new', async () => (await newer(mk).innerText()) === '2 new');
    await toEnd(mk);
    await entry(mk, 'At the end').waitFor();
    await entry(mk, 'Above all').waitFor();
    const { list, shown } = await mk.evaluate(() => ({
      list: [...document.querySelectorAll('#timeline .entry')].map((one) => one.dataset.at),
      shown: [...document.querySelectorAll('#timeline .entry')].slice(-3).every((one) => one.getBoundingClientRect().top > 0),
    }));
    assert.deepEqual(list, [...list].sort(), 'in the order of time');
    assert.ok(shown, 'the reader is still at the end');
  });

  await t.test('what waits and is written anew is still new; what is deleted before it is seen is not', async () => {
    await readAll(mk);
    await entry(mk, /Entry number 20\b/).evaluate((one) => one.scrollIntoView({ block: 'center' }));
    const part = (id) => mk.waitForResponse((answer) => answer.url().endsWith(`/parts/timeline-entry/${id}`));
    const waits = await add('Waits');
    await until('1 new', async () => (await newer(mk).innerText()) === '1 new');
    const again = part(waits.id);
    await api.patch(`/api/v1/incidents/INC-1/timeline/${waits.id}`, { title: 'Waits, in other words' });
    await (await again).finished();
    const gone = await add('Written by mistake');
    await until('2 new', async () => (await newer(mk).innerText()) === '2 new');
    await api.delete(`/api/v1/incidents/INC-1/timeline/${gone.id}`);
    await until('1 new again', async () => (await newer(mk).innerText()) === '1 new');
    await newer(mk).click();
    await entry(mk, 'Waits, in other words').waitFor();
    await line(mk).getByText('1 new').waitFor();
    assert.equal(await entry(mk, 'Written by mistake').count(), 0);
  });

  await t.test('many changes are fetched one after the other, and none is lost', async () => {
    await mk.goto(ROOM);
    let [flying, most] = [0, 0];
    await mk.route('**/parts/**', async (route) => {
      most = Math.max(most, (flying += 1));
      // Longer than the script gathers what comes.
      await new Promise((resolve) => setTimeout(resolve, 300));
      const answer = await route.fetch();
      flying -= 1;
      await route.fulfill({ response: answer });
    });
    for (let n = 1; n <= 6; n += 1) {
      await api.patch('/api/v1/incidents/INC-1', { title: `Checkout answers slowly (${n})` });
      // So that the next one comes while the parts of this one are on their way.
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    await mk.getByRole('heading', { name: 'Checkout answers slowly (6)' }).waitFor();
    assert.equal(most, 1, 'at once');
    await mk.unrouteAll({ behavior: 'wait' });
    await api.patch('/api/v1/incidents/INC-1', { title: 'Checkout answers slowly' });
  });

  await t.test('a list is renewed also while changes come without a pause', async () => {
    await mk.goto('/incidents');
    await mk.evaluate(() => setInterval(() => dispatchEvent(new CustomEvent('afterload:event')), 50));
    await api.patch('/api/v1/incidents/INC-1', { title: 'Checkout answers very slowly' });
    await mk.getByRole('link', { name: 'Checkout answers very slowly' }).waitFor();
    await api.patch('/api/v1/incidents/INC-1', { title: 'Checkout answers slowly' });
  });

  await t.test('who is signed out elsewhere is told so, in the room and on lists', async () => {
    const [inRoom, onList, ends] = [await world.visitor(), await world.visitor(), await world.visitor()];
    for (const page of [inRoom, onList, ends]) await signIn(page, 'ao');
    await inRoom.goto(ROOM);
    await onList.goto('/incidents');
    await ends.goto('/settings/security');
    await ends.getByRole('button', { name: 'End all others' }).click();
    await Promise.all([inRoom, onList].map((page) => page.getByText(/^You are signed out/).waitFor()));
    // Said again and again that there is nobody to listen to, the reason stays.
    await inRoom.waitForResponse((answer) => answer.url().includes('/live'));
    await inRoom.waitForResponse((answer) => answer.url().endsWith('/parts/people'));
    assert.match(await inRoom.locator('#offline').innerText(), /^You are signed out/);
    for (const page of [inRoom, onList, ends]) await page.context().close();
  });

  await t.test('at the end, entries come in by themselves, in view', async () => {
    await mk.goto(ROOM);
    await toEnd(mk);
    await mk.evaluate(() => { globalThis.seen.shift = 0; });
    await add('Comes in by itself');
    await entry(mk, 'Comes in by itself').waitFor();
    const seen = await entry(mk, 'Comes in by itself').evaluate((one) => {
      const box = one.getBoundingClientRect();
      return box.top > 0 && box.bottom <= document.querySelector('#composer').getBoundingClientRect().top + 1;
    });
    assert.ok(seen, 'above the composer');
    assert.ok(!(await newer(mk).isVisible()));
    // No more than the foot of the page, which goes out of view where it was in it.
    await isSound(mk);
  });

  await t.test('the line stands where one stopped, in two tabs, without scripts, and on another machine', async () => {
    // mk looks at the end for a moment: everything is read.
    await readAll(mk);
    assert.equal(await line(mk).count(), 0);
    await mk.goto('/incidents');
    await add('Since you left 1');
    await add('Since you left 2');
    const other = await world.visitor({ javaScriptEnabled: false });
    await other.goto(ROOM);
    await other.getByLabel('Handle').fill('mk');
    await other.getByLabel('Password').fill(PASSWORD);
    await other.getByRole('button', { name: 'Sign in' }).click();
    await line(other).getByText('2 new since').waitFor();
    await other.getByRole('link', { name: '2 new since you left' }).waitFor();
    await other.reload();
    await line(other).getByText('2 new since').waitFor();
    await person(other, 'jl').waitFor();
    await picture(other, 'room-without-scripts');

    const tab = await mk.context().newPage();
    await mk.setViewportSize({ width: 1440, height: 500 });
    await tab.setViewportSize({ width: 1440, height: 500 });
    await mk.goto(ROOM);
    await tab.goto(ROOM);
    await line(mk).getByText('2 new since').waitFor();
    await line(tab).getByText('2 new since').waitFor();
    await tab.evaluate(() => scrollTo(0, 0));
    await line(tab).getByRole('button', { name: 'Mark as read' }).click();
    await line(tab).waitFor({ state: 'detached' });
    await line(mk).waitFor({ state: 'detached' });
    await other.reload();
    assert.equal(await line(other).count(), 0, 'also where there are no scripts');
    await add('And once more');
    await other.reload();
    await line(other).getByText('1 new since').waitFor();
    await other.getByRole('button', { name: 'Mark as read' }).click();
    await line(other).waitFor({ state: 'detached' });
    await tab.close();
    await other.context().close();
    await mk.setViewportSize({ width: 1440, height: 900 });
  });

  await t.test('offline is said with its time, and what was missed comes afterwards', async () => {
    await mk.goto(ROOM);
    await toEnd(mk);
    await mk.getByLabel('What happened?').fill('kept while nobody answers');
    await world.server.stop();
    await mk.getByText(/^Offline since \d\d:\d\d UTC/).waitFor();
    await world.serve();
    await add('While you were offline');
    await mk.getByText(/^Offline since/).waitFor({ state: 'hidden' });
    await comes(mk, 'While you were offline');
    await person(mk, 'jl').waitFor();
    assert.equal(await mk.getByLabel('What happened?').inputValue(), 'kept while nobody answers');
    for (const page of [mk, jl, vw]) page.faults = page.faults.filter((fault) => !/ERR_CONNECTION|ERR_EMPTY|ERR_INCOMPLETE|ERR_SOCKET/.test(fault));
    await mk.getByLabel('What happened?').fill('');
  });

  await t.test('the keys of the room', async () => {
    await mk.goto(ROOM);
    const active = () => mk.evaluate(() => document.activeElement.name || document.activeElement.id);
    await mk.keyboard.press('?');
    await mk.getByRole('dialog', { name: 'Keys' }).getByText('Say what you are working on').waitFor();
    await mk.keyboard.press('Escape');
    await mk.keyboard.press('h');
    assert.equal(await active(), 'text');
    assert.equal(await composer(mk).getByRole('radio', { name: 'Hypothesis' }).isChecked(), true);
    await mk.keyboard.type('The cache is cold');
    await mk.keyboard.press('Enter');
    await entry(mk, 'The cache is cold').waitFor();
    await mk.keyboard.press('Escape');
    await entry(mk, 'The cache is cold').focus();
    await mk.keyboard.press('s');
    await entry(mk, 'The cache is cold').getByText('pinned').waitFor();
    await mk.keyboard.press('t');
    await until('the time to have the focus', async () => (await active()) === 'occurred_at');
    await mk.getByRole('link', { name: 'Cancel' }).click();
    await until('the entry to have the focus again', async () => /^entry-/.test(await active()));
    await mk.keyboard.press('m');
    await mk.getByLabel('Why it looked right').waitFor();
    await mk.getByRole('link', { name: 'Cancel' }).click();
    await until('the entry to have the focus again', async () => /^entry-/.test(await active()));
    await mk.keyboard.press('!');
    assert.equal(await active(), 'severity');
    await isSound(mk, { shift: false });
  });

  await t.test('in both themes, wide and narrow, axe finds nothing and nothing is wider than the window', async () => {
    await api.ask('PUT', '/api/v1/incidents/INC-1/working-on', { body: { text: 'what a script does, said in a long line that goes on and on for quite a while' } });
    for (const [colorScheme, width] of [['light', 1440], ['dark', 1440], ['light', 390], ['dark', 390]]) {
      const page = await world.visitor({ colorScheme, viewport: { width, height: 844 } });
      await signIn(page, 'ao');
      await api.ask('DELETE', '/api/v1/incidents/INC-1/working-on', { expect: 204 });
      await page.goto(ROOM);
      await api.ask('PUT', '/api/v1/incidents/INC-1/working-on', { body: { text: 'what a script does, said in a long line that goes on and on for quite a while' } });
      await people(page).getByText('what a script does').waitFor();
      await readAll(page);
      await page.goto('/incidents');
      await add(`New for ${colorScheme} at ${width}`);
      await page.goto(ROOM);
      await line(page).waitFor();
      await line(page).scrollIntoViewIfNeeded();
      await picture(page, `room-people-${colorScheme}-${width}`);
      await page.evaluate(() => scrollTo(0, 0));
      await picture(page, `room-top-${colorScheme}-${width}`);
      assert.deepEqual(await findings(page), []);
      assert.deepEqual(await wide(page), [], 'wider than the window');
      await isSound(page);
      await page.context().close();
    }
  });

  await t.test('a room of three: nobody has an error, and text that was written is there once', async () => {
    await Promise.all([jl.goto(ROOM), mk.goto(ROOM), vw.goto(ROOM)]);
    await Promise.all([write(jl, 'from jl'), write(mk, 'from mk')]);
    for (const page of [jl, mk, vw]) {
      for (const text of ['from jl', 'from mk']) {
        await comes(page, text);
        assert.equal(await entry(page, text).count(), 1);
      }
      await isSound(page, { shift: false });
    }
  });
});
