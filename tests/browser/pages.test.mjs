// Every page, as it must be for everybody: nothing that axe finds, no sideways scroll, nothing that jumps,
// little on the wire, in both themes, wide and narrow; and the room without scripts.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import test from 'node:test';
import { PNG, isSound, picture, signIn } from './actions.mjs';
import { findings, wide } from './looks.mjs';
import { Rest } from './rest.mjs';
import { PASSWORD, World, until } from './world.mjs';

const BYTES_MAX = 100 * 1024;
const MARKUP = '# Head <script>window.pwned=1</script>\n\n| a | b |\n| - | - |\n| `|` | [x](javascript:alert(1)) |\n\nמרחבא 🔥 ';

/** Something of everything, so that no page is empty. */
async function fill(world, api) {
  await api.post('/api/v1/users', { handle: 'mk', password: PASSWORD, role: 'admin' });
  await api.post('/api/v1/users', { handle: 'jl', password: PASSWORD, role: 'viewer' });
  const at = { config_path: world.config, state_address: world.socket, poll_seconds: 1 };
  const balancer = await api.post('/api/v1/balancers', { name: 'edge-1', ...at });
  const gone = await api.post('/api/v1/balancers', { name: 'edge-gone', state_address: '/nowhere/haproxy.sock', poll_seconds: 1 });
  const snapshots = async (count) =>
    until(`${count} snapshots`, async () => {
      const { items } = await api.get(`/api/v1/balancers/${balancer.id}/snapshots`);
      return items.length >= count && items;
    });
  await snapshots(1);
  world.write('haproxy.cfg', fs.readFileSync(world.config, 'utf8').replace('weight 100', 'weight 0'));
  await world.weights(0, 'web1');
  const hook = await api.post('/api/v1/integrations', { name: 'monitoring', format: 'generic' });
  const generic = new Rest(world.url);
  for (const [key, severity] of [['a', 'critical'], ['b', 'warning']]) {
    const body = { status: 'firing', title: `Errors of the shop ${MARKUP.slice(0, 40)}`, dedup_key: key, severity };
    await generic.ask('POST', hook.hook_path, { body, expect: 202 });
  }
  await generic.ask('POST', hook.hook_path, { body: '{"broken', type: 'text/plain', expect: 422 });
  const [newest, oldest] = await snapshots(2);
  const room = '/api/v1/incidents/INC-1';
  const image = await api.post('/api/v1/attachments?name=graph.png', PNG, { type: 'application/octet-stream' });
  const entries = [
    { title: 'Checkout is down', body: MARKUP, pinned: true, attachments: [image.id] },
    { kind: 'hypothesis', title: 'The database', state: 'ruled_out', looked_right: 'It was it last time', ruled_out_by: '2 ms a query', pinned: true },
    { kind: 'hypothesis', title: 'An attack?' },
    { kind: 'decision', title: 'Roll back', options: [{ title: 'Roll back', chosen: true, reason: 'fast' }, { title: 'Wait', chosen: false, reason: '' }] },
    { kind: 'action', title: `A long line ${'that goes on '.repeat(12)}`, evidence: [{ kind: 'link', href: 'https://example.com/', text: 'Dashboard' }] },
    { title: 'Averylongwordwithoutanyblank'.repeat(8) },
  ];
  for (const entry of entries) await api.post(`${room}/timeline`, entry);
  await api.post(`${room}/tasks`, { title: 'Hold weights against a guard', owner: 'mk', due_on: '2026-01-15', kind: 'prevent', recurrence: 'quarterly' });
  const soon = new Date(Date.now() + 3 * 86_400_000).toISOString().slice(0, 10);
  await api.post(`${room}/tasks`, { title: 'Reminds already', owner: 'mk', due_on: soon });
  await api.post(`${room}/tasks`, { title: 'Another balancer', status: 'wont_do', wont_do_reason: 'It would carry the same config' });
  await api.patch(room, { root_cause: MARKUP, impact: 'Nine in ten checkouts', impact_figures: { failed_requests_share: 0.9 }, roles: { commander: 'mk' } });
  const over = { title: 'Last year', status: 'resolved', severity: 'sev2', milestones: { started: '2025-03-01T10:00:00Z', resolved: '2025-03-01T09:00:00Z' } };
  await api.post('/api/v1/incidents', over);
  const entry = (await api.get(`${room}/timeline`)).items.find((one) => one.title === 'Checkout is down');
  await api.patch(`${room}/timeline/${entry.id}`, { title: 'Checkout is down for most' });
  await api.post('/api/v1/tokens', { name: 'reader', scopes: ['incidents:read'] });
  return {
    outside: { login: '/login', missing: '/nowhere' },
    inside: {
      dashboard: '/',
      incidents: '/incidents',
      'incidents-none': '/incidents?q=nothing-like-this',
      'incidents-filtered': '/incidents?status=open&severity=sev1&label=team%3Ddb&from=soon',
      declare: '/incidents/new',
      room: '/incidents/INC-1',
      'room-over': '/incidents/INC-2',
      'entry-edit': `/incidents/INC-1/entries/${entry.id}/edit`,
      'entry-history': `/incidents/INC-1/entries/${entry.id}/history`,
      postmortem: '/incidents/INC-1/postmortem',
      postmortems: '/postmortems',
      balancers: '/balancers',
      balancer: `/balancers/${balancer.id}`,
      'balancer-history': `/balancers/${balancer.id}/snapshots`,
      'balancer-history-none': `/balancers/${gone.id}/snapshots`,
      'balancer-new': '/balancers/new',
      'balancer-edit': `/balancers/${balancer.id}/edit`,
      'balancer-forget': `/balancers/${balancer.id}/delete`,
      snapshot: `/snapshots/${newest.id}`,
      diff: `/snapshots/${oldest.id}/diff/${newest.id}`,
      'diff-split': `/snapshots/${oldest.id}/diff/${newest.id}?view=split`,
      check: '/check',
      rules: '/rules',
      acknowledge: `/balancers/${balancer.id}/acknowledge?rule=LB001&pool=web`,
      tasks: '/tasks',
      'tasks-none': '/tasks?show=mine&owner=nobody',
      settings: '/settings',
      integrations: '/settings/integrations',
      integration: `/settings/integrations/${hook.id}`,
      'integration-try': `/settings/integrations/${hook.id}/test`,
      people: '/settings/people',
      tokens: '/settings/tokens',
      account: '/settings/account',
      security: '/settings/security',
      about: '/settings/about',
      audit: '/settings/audit',
      'not-found': '/incidents/INC-999',
    },
  };
}

test('every page', async (t) => {
  const world = await World.make();
  t.after(() => world.stop());
  await world.startBalancer();
  await world.serve();
  const api = new Rest(world.url, (await world.command('token', 'create', 'walk', '--scopes', 'admin')).trim());
  const { inside, outside } = await fill(world, api);
  const all = [...Object.entries(outside).map(([name, path]) => [name, path, false]), ...Object.entries(inside).map(([name, path]) => [name, path, true])];

  /** A visitor for signed-in pages and one for the others. */
  const visitors = async (options) => {
    const member = await world.visitor(options);
    await signIn(member, 'mk');
    return { member, stranger: await world.visitor(options) };
  };

  for (const [theme, width] of [['light', 1440], ['dark', 1440], ['light', 390], ['dark', 390]]) {
    const { member, stranger } = await visitors({ colorScheme: theme, viewport: { width, height: width > 500 ? 900 : 844 } });
    for (const [name, path, signedIn] of all) {
      await t.test(`${name}, ${theme}, ${width} px`, async () => {
        const page = signedIn ? member : stranger;
        page.faults.length = 0;
        await page.goto(path, { waitUntil: 'load' });
        await page.evaluate(() => document.fonts.ready);
        await picture(page, `${name}-${theme}-${width}`, { fullPage: true });
        // What a page that is not there answers with is its status; the browser logs it.
        page.faults = page.faults.filter((fault) => !/status of 404/.test(fault) || !/nowhere|INC-999/.test(path));
        const found = await findings(page);
        assert.equal(found.length, 0, found.join('\n'));
        assert.deepEqual(await wide(page), [], 'wider than the window');
        await isSound(page);
        assert.equal(await page.evaluate(() => globalThis.pwned), undefined);
      });
    }
    await t.test(`a config that was checked, ${theme}, ${width} px`, async () => {
      member.faults.length = 0;
      await member.goto('/check');
      const text = fs.readFileSync(world.config, 'utf8').replace(/weight \d+/g, 'weight 0');
      await member.getByLabel('Config', { exact: true }).fill(`${text}\nbackend broken\n    server a 127.0.0.1:1 weight 999 # <script>pwned=1</script>\n`);
      await member.getByRole('button', { name: 'Check' }).click();
      await member.getByRole('heading', { name: 'HAProxy would refuse it' }).waitFor();
      await member.getByRole('link', { name: 'LB002' }).first().waitFor();
      await picture(member, `checked-${theme}-${width}`, { fullPage: true });
      const found = await findings(member);
      assert.equal(found.length, 0, found.join('\n'));
      assert.deepEqual(await wide(member), [], 'wider than the window');
      assert.equal(await member.evaluate(() => globalThis.pwned), undefined);
      const { items } = await api.get('/api/v1/balancers');
      assert.equal(items.length, 2, 'nothing of it was stored');
    });
    await t.test(`a hook that was tried, ${theme}, ${width} px`, async () => {
      member.faults.length = 0;
      const before = await api.get('/api/v1/incidents');
      await member.goto(inside['integration-try']);
      await member.getByRole('button', { name: 'Try it' }).click();
      await member.getByText('1 alert was understood.').waitFor();
      await picture(member, `tried-${theme}-${width}`, { fullPage: true });
      const found = await findings(member);
      assert.equal(found.length, 0, found.join('\n'));
      assert.deepEqual(await wide(member), [], 'wider than the window');
      await member.getByLabel('Body to try').fill('{"alerts": 7}');
      await member.getByRole('button', { name: 'Try it' }).click();
      await member.getByRole('heading', { name: 'Not understood' }).waitFor();
      await picture(member, `tried-not-${theme}-${width}`, { fullPage: true });
      assert.deepEqual(await findings(member), []);
      await isSound(member);
      assert.equal((await api.get('/api/v1/incidents')).items.length, before.items.length, 'nothing of it was stored');
    });
    await member.context().close();
    await stranger.context().close();
  }

  await t.test('at 320 px nothing scrolls sideways', async () => {
    const { member, stranger } = await visitors({ viewport: { width: 320, height: 640 } });
    const over = [];
    for (const [name, path, signedIn] of all) {
      const page = signedIn ? member : stranger;
      await page.goto(path);
      for (const what of await wide(page)) over.push(`${name}: ${what}`);
    }
    assert.deepEqual(over, []);
    await member.context().close();
  });

  await t.test('cold, every page is under 100 KB on the wire', async (t) => {
    const { member, stranger } = await visitors();
    const state = await member.context().storageState();
    await member.context().close();
    await stranger.context().close();
    const sizes = [];
    for (const [name, path, signedIn] of all) {
      const page = await world.visitor(signedIn ? { storageState: state } : {});
      const wire = await page.context().newCDPSession(page);
      await wire.send('Network.enable');
      let bytes = 0;
      wire.on('Network.loadingFinished', ({ encodedDataLength }) => {
        bytes += encodedDataLength;
      });
      await page.goto(path, { waitUntil: 'load' });
      sizes.push([name, bytes]);
      await page.context().close();
    }
    t.diagnostic(sizes.map(([name, bytes]) => `${name} ${(bytes / 1024).toFixed(1)} KB`).join(', '));
    assert.deepEqual(sizes.filter(([, bytes]) => bytes > BYTES_MAX), []);
    assert.ok(sizes.every(([, bytes]) => bytes > 500), 'the measurement measures');
  });

  await t.test('without scripts: sign in, read the room, post, change the status, edit', async () => {
    const page = await world.visitor({ javaScriptEnabled: false });
    await page.goto('/incidents/INC-1');
    await page.getByLabel('Handle').fill('mk');
    await page.getByLabel('Password').fill(PASSWORD);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.waitForURL(/\/incidents\/INC-1$/);
    await page.getByRole('region', { name: /Flight recorder/ }).first().waitFor();
    await page.getByText('Checkout is down for most', { exact: true }).waitFor();
    await page.getByLabel('What happened?').fill('-10m ! written without scripts');
    await page.getByLabel('Attach a file').setInputFiles({ name: 'plain.png', mimeType: 'image/png', buffer: PNG });
    await page.getByRole('button', { name: 'Send' }).click();
    const line = page.locator('#timeline > li').filter({ hasText: 'written without scripts' });
    await line.waitFor();
    await line.getByRole('img', { name: 'plain.png' }).waitFor();
    const late = (Date.now() - Date.parse(await line.getAttribute('data-at'))) / 60_000;
    assert.ok(late > 9.9 && late < 13, `${late} minutes ago`);
    await page.getByRole('list', { name: 'Status' }).getByRole('button', { name: 'Identified' }).click();
    await page.locator('[aria-current=step]').filter({ hasText: 'Identified' }).waitFor();
    await page.locator('#timeline > li').filter({ hasText: 'written without scripts' }).getByLabel('Actions for this entry').click();
    await page.locator('#timeline > li').filter({ hasText: 'written without scripts' }).getByRole('link', { name: 'Edit' }).click();
    await page.getByLabel('Title').fill('edited without scripts');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('edited without scripts').waitFor();
    await page.getByLabel(/^Account of/).click();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.waitForURL(/\/login/);
    await page.context().close();
  });

  await t.test('a viewer reads everything and is offered nothing to write', async () => {
    const page = await world.visitor();
    await signIn(page, 'jl');
    await page.goto('/incidents/INC-1');
    await page.getByText('Checkout is down for most', { exact: true }).waitFor();
    assert.equal(await page.getByLabel('What happened?').count(), 0);
    assert.equal(await page.getByRole('button', { name: 'Resolved' }).count(), 0);
    const refused = await page.request.post('/incidents/INC-1/entries', { multipart: { text: 'x' }, headers: { origin: world.url } });
    assert.equal(refused.status(), 403);
    const foreign = await page.request.post('/incidents/INC-1/entries', {
      multipart: { text: 'x' },
      headers: { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' },
    });
    assert.equal(foreign.status(), 403);
    await page.context().close();
  });

  await t.test('by keyboard alone: skip link, new entry, timeline, search, help', async () => {
    const page = await world.visitor();
    await signIn(page, 'mk');
    await page.goto('/incidents/INC-1');
    await page.keyboard.press('Tab');
    assert.match(await page.evaluate(() => document.activeElement.textContent), /Skip to the content/);
    await page.keyboard.press('Enter');
    await page.keyboard.press('n');
    assert.equal(await page.evaluate(() => document.activeElement.id), 'note');
    await page.keyboard.type('typed by keyboard alone');
    await page.keyboard.press('Enter');
    await page.locator('#timeline').getByText('typed by keyboard alone').waitFor();
    await page.keyboard.press('Escape');
    await page.keyboard.press('k');
    assert.ok(await page.evaluate(() => document.activeElement.matches('.entry')));
    await page.keyboard.press('/');
    assert.equal(await page.evaluate(() => document.activeElement.id), 'search');
    await page.keyboard.press('Escape');
    await page.keyboard.press('?');
    await page.getByRole('dialog', { name: 'Keys' }).waitFor();
    assert.deepEqual(await findings(page), []);
    await page.keyboard.press('Escape');
    await page.getByRole('dialog', { name: 'Keys' }).waitFor({ state: 'detached' });
    await page.context().close();
  });

  await t.test('keys lead everywhere, open rows, and act on the chosen entry', async () => {
    const page = await world.visitor();
    await signIn(page, 'mk');
    for (const [key, path] of [['i', '/incidents'], ['b', '/balancers'], ['t', '/tasks'], ['p', '/postmortems'], ['s', '/settings'], ['d', '/']]) {
      await page.keyboard.press('g');
      await page.keyboard.press(key);
      await page.waitForURL((url) => url.pathname === path);
    }
    await page.keyboard.press('j');
    assert.ok(await page.evaluate(() => document.activeElement.matches('[data-row]')));
    await page.keyboard.press('Enter');
    await page.waitForURL(/\/incidents\/INC-1$/);
    for (const [key, kind] of [['h', 'hypothesis'], ['a', 'action']]) {
      await page.keyboard.press(key);
      assert.equal(await page.evaluate(() => document.activeElement.id), 'note', key);
      assert.equal(await page.locator('[data-composer] [name=kind]:checked').inputValue(), kind);
      await page.keyboard.press('Escape');
    }
    await page.keyboard.press('!');
    assert.equal(await page.evaluate(() => document.activeElement.id), 'f-severity');
    const line = page.locator('#timeline > li.entry').filter({ hasText: 'An attack?' });
    const choose = () => line.evaluate((one) => one.focus());
    await choose();
    await page.keyboard.press('s');
    await line.getByText('pinned', { exact: true }).waitFor();
    await choose();
    await page.keyboard.press('m');
    await page.getByLabel(/looked right/i).first().waitFor();
    await page.keyboard.press('Escape');
    await page.goto('/incidents/INC-1');
    await page.locator('.flight a:visible').first().waitFor();
    await page.keyboard.press(']');
    assert.ok(await page.evaluate(() => document.activeElement.closest('.flight a')), 'a mark of the chart has the focus');
    await page.locator('#note').fill('g i and c and ? are text here');
    assert.match(page.url(), /INC-1$/);
    assert.equal(await page.getByRole('dialog').count(), 0);
    await page.context().close();
  });

  await t.test('everything that a key does is found by its name, and what is not can be searched for', async () => {
    const page = await world.visitor();
    await signIn(page, 'mk');
    const choices = page.locator('#palette-list').getByRole('option');
    const open = async () => {
      await page.keyboard.press('Control+k');
      await page.getByRole('combobox', { name: 'Action' }).waitFor();
    };
    await open();
    assert.deepEqual(await findings(page), []);
    await page.keyboard.type('go tasks');
    assert.equal(await choices.first().innerText().then((text) => text.split('\n')[0]), 'Go to the tasks');
    await page.keyboard.press('Enter');
    await page.waitForURL((url) => url.pathname === '/tasks');
    await open();
    await page.keyboard.press('ArrowDown');
    const second = choices.nth(1);
    assert.equal(await second.getAttribute('aria-selected'), 'true');
    assert.equal(await page.getByRole('combobox', { name: 'Action' }).getAttribute('aria-activedescendant'), await second.getAttribute('id'));
    await page.keyboard.type('zebra <b>fish</b>');
    await choices.filter({ hasText: 'Search for' }).click();
    await page.waitForURL((url) => url.pathname === '/search' && url.searchParams.get('q') === 'zebra <b>fish</b>');
    await page.goto('/incidents/INC-1');
    await page.locator('.flight a:visible').first().waitFor();
    await page.locator('#note').fill('half a sentence');
    await open();
    await page.keyboard.type('what you are working on');
    await page.keyboard.press('Enter');
    assert.equal(await page.evaluate(() => document.activeElement.id), 'working');
    assert.equal(await page.locator('#note').inputValue(), 'half a sentence');
    await page.keyboard.press('Escape');
    await page.keyboard.press('g');
    await page.keyboard.press('m');
    assert.ok(await page.evaluate(() => document.activeElement.closest('.flight a')), 'the chart has the focus');
    await page.context().close();
  });

  await t.test('a session is seen and ended from another browser', async () => {
    const [here, there] = [await world.visitor(), await world.visitor()];
    for (const page of [here, there]) await signIn(page, 'jl');
    await here.goto('/settings/security');
    await here.getByText('this one', { exact: true }).waitFor();
    await here.getByRole('button', { name: 'End all others' }).click();
    await here.getByRole('button', { name: 'End all others' }).waitFor({ state: 'detached' });
    await there.goto('/tasks');
    await there.waitForURL(/\/login/);
    await here.goto('/tasks');
    assert.match(here.url(), /\/tasks$/);
    for (const page of [here, there]) await page.context().close();
  });
});
