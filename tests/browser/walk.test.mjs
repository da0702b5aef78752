// The main job, end to end and in a browser: an alert opens an incident, the recorder shows what the
// balancer did, two people keep the timeline, a postmortem comes out. On a real HAProxy, Prometheus and
// Alertmanager; each step goes on where the one before ended.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { PNG, act, comes, composer, entry, isSound, picture, save, setStatus, signIn, unfold, write } from './actions.mjs';
import { Rest } from './rest.mjs';
import { PASSWORD, SECRETS, World, root, until } from './world.mjs';

const SERVERS = ['web1', 'web2', 'web3', 'web4', 'web5'];
const DRAINED = SERVERS.slice(1);

test('an outage, from the first alert to the postmortem', async (t) => {
  const world = await World.make();
  t.after(() => world.stop());
  const ok = [];
  // A step builds on those before: after one that failed, the rest would only repeat its news.
  const step = async (name, body) => {
    if (ok.includes(false)) return t.test(name, (t) => t.skip('a step before failed'));
    await t.test(name, async (t) => {
      ok.push(false);
      try {
        await body(t);
      } catch (error) {
        for (const [name, page] of Object.entries({ mk, jl })) {
          if (!page) continue;
          await picture(page, `failed-${name}`, { fullPage: true });
          t.diagnostic(`${name} at ${page.url()}: ${page.faults.join('\n') || 'nothing in the console'}`);
        }
        throw error;
      }
      ok[ok.length - 1] = true;
    });
  };
  let mk;
  let jl;
  let api;
  let hook;
  const room = (page) => page.goto('/incidents/INC-1');

  await step('the server starts on nothing, and its setup link makes the first account', async () => {
    const server = await world.serve();
    const [, link] = await server.says(/(http:\/\/\S+\/setup\?code=\S+)/);
    mk = await world.visitor();
    await mk.goto('/');
    assert.match(mk.url(), /\/login/, 'without an account nothing is shown');
    await mk.getByText('one-time setup link').waitFor();
    await mk.goto(link);
    await mk.getByLabel('Handle').fill('mk');
    await mk.getByLabel('Password').fill('short');
    await mk.getByRole('button', { name: /Make the account/ }).click();
    await mk.getByText('Not saved yet').waitFor();
    await mk.getByLabel('Password').fill(PASSWORD);
    await mk.getByRole('button', { name: /Make the account/ }).click();
    await mk.getByRole('heading', { name: 'What to do next' }).waitFor();
    assert.equal((await fetch(link)).status, 404, 'the link works once');
    await isSound(mk);
  });

  await step('the help is asked in: a second account', async () => {
    await mk.goto('/settings/people');
    await mk.getByLabel('Handle').fill('jl');
    await mk.getByLabel('First password').fill(PASSWORD);
    await mk.getByRole('radio', { name: /responder/ }).check();
    await mk.getByRole('button', { name: 'Add', exact: true }).click();
    await mk.getByRole('rowheader', { name: /^jl/ }).waitFor();
    jl = await world.visitor();
    await signIn(jl, 'jl');
    assert.equal((await jl.goto('/settings/people')).status(), 403, 'a responder manages no people');
    api = new Rest(world.url, (await world.command('token', 'create', 'walk', '--scopes', 'admin')).trim());
  });

  await step('1. a balancer is added, and its page fills by itself', async (t) => {
    await world.startBalancer();
    await mk.goto('/');
    await mk.getByRole('link', { name: 'Add a balancer' }).click();
    await mk.getByLabel('Name').fill('edge-1');
    await mk.getByLabel('Config file').fill('haproxy.cfg');
    await mk.getByLabel('Run-time address').fill(world.socket);
    await mk.getByLabel('Seconds between two readings').fill('1');
    await mk.getByRole('button', { name: 'Add', exact: true }).click();
    await mk.getByText('Not saved yet').waitFor();
    await mk.getByLabel('Config file').fill(world.config);
    const began = Date.now();
    await mk.getByRole('button', { name: 'Add', exact: true }).click();
    await mk.getByRole('heading', { name: 'edge-1' }).waitFor();
    const servers = mk.getByLabel('Servers of pool web');
    for (const name of SERVERS) {
      const row = servers.getByRole('row').filter({ hasText: name });
      await until(`${name} with its weight, state and share`, async () => {
        const text = await row.innerText();
        return /\b100\b/.test(text) && /\bup\b/.test(text) && /\b(1\d|2\d)(\.\d)? ?% of requests/.test(text);
      });
    }
    t.diagnostic(`pools, servers, weights, state and share were there after ${((Date.now() - began) / 1000).toFixed(1)} s (promised: 10)`);
    await mk.getByRole('link', { name: 'Snapshot 1', exact: true }).waitFor();
    await picture(mk, 'balancer');
    await isSound(mk, { shift: false });
  });

  await step('1. what is set through the socket is a snapshot, although no file changed', async () => {
    await world.weights(60, 'web5');
    await mk.getByRole('link', { name: 'Snapshot 2', exact: true }).waitFor();
    await mk.getByText(/web5.*100.*60/).first().waitFor();
    const row = mk.getByRole('row').filter({ hasText: 'web5' });
    await row.getByText('differs from file').waitFor();
    await world.weights(100, 'web5');
    await mk.getByRole('link', { name: 'Snapshot 3', exact: true }).waitFor();
    await mk.getByRole('link', { name: 'Snapshot 3', exact: true }).click();
    await mk.getByText('balance roundrobin').first().waitFor();
    for (const secret of SECRETS) assert.ok(!(await mk.content()).includes(secret), 'secrets are taken out');
    await isSound(mk);
  });

  await step('2. an Alertmanager hook, its address shown once', async () => {
    await mk.goto('/settings/integrations');
    await mk.getByLabel('Name').fill('monitoring');
    await mk.getByLabel('Source').selectOption({ label: 'Prometheus Alertmanager' });
    await mk.getByRole('button', { name: 'Make the hook' }).click();
    hook = await mk.getByLabel('Hook address').inputValue();
    assert.ok(hook.startsWith(`${world.url}/hooks/`), hook);
    await isSound(mk);
    await mk.goto('/settings/integrations');
    assert.ok(!(await mk.content()).includes(hook), 'it is not shown again');
    await world.startMonitoring(hook);
  });

  await step('2. four of five servers get no traffic: INC-1 opens in every browser by itself', async (t) => {
    await jl.goto('/');
    await jl.getByRole('heading', { name: 'No open incident' }).waitFor();
    await jl.evaluate(() => {
      globalThis.neverReloaded = true;
    });
    // What a deployment does: the file is written, and the weights are set through the socket.
    world.healthy = fs.readFileSync(world.config, 'utf8');
    world.write('haproxy.cfg', world.healthy.replace(/(server web[2-5] \S+ weight) 100/g, '$1 0'));
    const began = Date.now();
    await world.weights(0, ...DRAINED);
    await jl.getByText('INC-1').waitFor();
    t.diagnostic(`from the change to the incident in the other browser: ${((Date.now() - began) / 1000).toFixed(1)} s`);
    assert.ok(await jl.evaluate(() => globalThis.neverReloaded), 'without a reload');
    await until('the second alert to join the same incident, and repeats to be counted', async () => {
      const { items } = await api.get('/api/v1/incidents/INC-1/alerts');
      return items.length === 2 && items.every((alert) => alert.count > 1);
    });
    assert.equal((await api.get('/api/v1/incidents')).items.length, 1, 'one incident, however many alerts');
    const { items } = await api.get('/api/v1/incidents/INC-1/timeline?limit=200');
    assert.ok(items.filter((one) => one.kind === 'alert').length <= 2, 'repeats add no rows');
    await isSound(jl, { shift: false });
  });

  await step('2. snapshots from before and during, and what was recorded before the alert', async () => {
    const linked = await until('a snapshot of the change', async () => {
      const { items } = await api.get('/api/v1/incidents/INC-1/snapshots');
      if (items.some((one) => /100 → 0/.test(one.changes.join()) && one.role !== 'after')) return items;
      throw new Error(JSON.stringify(items.map(({ role, changes }) => ({ role, changes }))));
    });
    assert.ok(linked.some((one) => one.role === 'before'), `roles: ${linked.map((one) => one.role)}`);
    const incident = await api.get('/api/v1/incidents/INC-1');
    const { times, series } = await api.get('/api/v1/incidents/INC-1/series?pool=web');
    const early = times.filter((at) => at < incident.milestones.started).length;
    assert.ok(series.some((one) => one.values.slice(0, early).some((value) => value > 0)), 'traffic before the alert');
    await room(mk);
    await mk.getByRole('complementary').getByText('before', { exact: true }).first().waitFor({ state: 'attached' });
    const changes = mk.locator('#changes');
    await changes.getByText(/4 of 5 servers 100 → 0/).first().waitFor();
    await changes.getByRole('region', { name: 'Text diff' }).getByText(/^\+.*server web2 .* weight 0/).first().waitFor();
    await mk.getByText('2 firing').waitFor();
    assert.equal(await mk.evaluate(() => globalThis.pwned), undefined, 'labels of alerts are text');
  });

  await step('3. the flight recorder: share per server, marks linked with the timeline', async () => {
    const recorder = mk.getByRole('region', { name: /Flight recorder of edge-1, web/ });
    await recorder.waitFor();
    const chart = recorder.locator('svg.flight-wide');
    for (const name of SERVERS) await chart.locator('text').filter({ hasText: name }).first().waitFor();
    for (const kind of ['change', 'alert']) {
      const entry = mk.locator(`#timeline .k-${kind}`).first();
      const mark = chart.locator(`.mark[data-entry="${(await entry.getAttribute('id')).slice(6)}"]`);
      await until(`a mark of the ${kind} on the chart`, async () => (await mark.count()) > 0);
      await entry.hover();
      await until(`hovering the ${kind} to light its mark`, async () => /is-hot/.test(await mark.first().getAttribute('class')));
    }
    await unfold(mk, 'The figures as a table', recorder);
    await recorder.getByRole('columnheader', { name: 'web1' }).waitFor();
    await picture(mk, 'room-alert');
  });

  await step('3. notes, a detour with its reason, a decision with options, a pin, a picture', async () => {
    await room(mk);
    await room(jl);
    await write(mk, 'Checkout answers 503 for most people');
    await comes(jl, 'Checkout answers 503 for most people');
    const guess = await write(jl, '? The database is slow again', { shown: 'The database is slow again' });
    await guess.getByText('open', { exact: true }).waitFor();
    await act(guess, 'Rule out…');
    await guess.getByLabel('Why it looked right').fill('Last month it began in the same way');
    await guess.getByLabel('What ruled it out').fill('Its slowest query takes 2 ms');
    await guess.getByRole('button', { name: 'Save' }).click();
    await guess.getByText('ruled out', { exact: true }).waitFor();
    await comes(mk, 'Last month it began in the same way');
    await act(guess, 'Pin into the postmortem');
    await guess.getByText('pinned', { exact: true }).waitFor();

    const decision = await write(mk, 'Put the weights back by hand', { kind: 'Decision', pin: true });
    await act(decision, 'Edit');
    await decision.getByLabel('Options weighed').fill('+ Set the weights: seconds, no reload\nRoll the deployment back: ten minutes');
    await decision.getByRole('button', { name: 'Save' }).click();
    await decision.getByText('Roll the deployment back').waitFor();
    await decision.getByText('(chosen)').waitFor({ state: 'attached' });

    const graph = await write(mk, 'The graph of the error ratio', { file: { name: 'graph.png', mimeType: 'image/png', buffer: PNG }, pin: true });
    await until('the picture to be shown', () => graph.locator('img').evaluate((img) => img.naturalWidth > 0));
    await mk.getByLabel('What happened?').evaluate((note, png) => {
      const data = new DataTransfer();
      const bytes = Uint8Array.from(atob(png), (c) => c.charCodeAt(0));
      data.items.add(new File([bytes], 'pasted.png', { type: 'image/png' }));
      note.dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true }));
    }, PNG.toString('base64'));
    await composer(mk).getByRole('button', { name: 'Remove pasted.png' }).waitFor();
    const pasted = await write(mk, 'Pasted from the clipboard');
    await pasted.getByRole('img', { name: 'pasted.png' }).waitFor();
  });

  await step('3. edits keep their history, deletes can be undone, hostile text is text', async () => {
    const note = entry(mk, 'Checkout answers 503 for most people');
    await act(note, 'Edit');
    await note.getByLabel('Title').fill('Checkout answers 503 for nine in ten');
    await note.getByRole('button', { name: 'Save' }).click();
    const edited = entry(mk, 'Checkout answers 503 for nine in ten');
    await edited.waitFor();
    await act(edited, 'History');
    await mk.getByText('most people').first().waitFor();
    await mk.getByRole('heading', { name: 'Version 2' }).waitFor();
    await room(mk);
    await act(entry(mk, 'Checkout answers 503 for nine in ten'), 'Delete');
    await mk.getByRole('button', { name: 'Undo the deletion' }).click();
    await entry(mk, 'Checkout answers 503 for nine in ten').getByText('mk ·').waitFor();
    const hostile = '<script>window.pwned=1</script> | `pipe` <img src=x onerror=window.pwned=1> 🔥 مرحبا';
    await write(mk, hostile, { shown: '<script>window.pwned=1</script> | ' });
    await comes(jl, '<img src=x onerror=');
    for (const page of [mk, jl]) assert.equal(await page.evaluate(() => globalThis.pwned), undefined);
  });

  await step('3. the composer understands times, and shows what it understood', async () => {
    await mk.getByLabel('What happened?').pressSequentially('-5m ! restarted web1 @jl');
    await composer(mk).locator('output').getByText('Action', { exact: true }).waitFor();
    await composer(mk).locator('output').getByText('@jl').waitFor();
    await mk.getByLabel('What happened?').press('Enter');
    const line = entry(mk, 'restarted web1 @jl');
    await line.waitFor();
    const late = (Date.now() - Date.parse(await line.getAttribute('data-at'))) / 60_000;
    assert.ok(late > 4.9 && late < 8, `${late} minutes ago`);
    // The day may end meanwhile.
    const dayBefore = () => new Date(Date.now() - 86_400_000).toISOString().slice(0, 10);
    const first = dayBefore();
    const yesterday = await write(jl, 'yesterday 23:50 the deployment was merged', { shown: 'the deployment was merged' });
    const at = await yesterday.getAttribute('data-at');
    assert.ok([first, dayBefore()].some((day) => at.startsWith(`${day}T23:50`)), at);
    await write(jl, 'todo: hold weights against a guard', { shown: 'hold weights against a guard' });
    await jl.locator('#tasks').getByText('hold weights against a guard').first().waitFor();
  });

  await step('3. a draft survives a reload and a restart of the server; what was sent arrives afterwards', async () => {
    const note = mk.getByLabel('What happened?');
    await note.pressSequentially('Half a thought');
    await mk.reload();
    assert.equal(await note.inputValue(), 'Half a thought');
    await world.server.stop('SIGKILL');
    await note.fill('Half a thought, and the rest of it');
    await note.press('Enter');
    await mk.getByRole('list', { name: 'Not sent yet' }).getByText('Half a thought, and the rest of it').waitFor();
    await mk.getByText(/^Offline since/).waitFor();
    await world.serve();
    await until('the queue to be sent', async () => (await mk.locator('#queue li').count()) === 0);
    await entry(mk, 'Half a thought, and the rest of it').waitFor();
    await comes(jl, 'Half a thought, and the rest of it');
    await mk.getByText(/^Offline since/).waitFor({ state: 'hidden' });
    await mk.reload();
    assert.equal(await entry(mk, 'Half a thought, and the rest of it').count(), 1, 'sent once, there once');
  });

  await step('3. after a reconnect everything that was missed is replayed', async () => {
    await world.restart();
    await api.post('/api/v1/incidents/INC-1/timeline', { title: 'Written while nobody listened' });
    await comes(jl, 'Written while nobody listened');
    await comes(mk, 'Written while nobody listened');
    // The failed requests of the time without a server are no fault of the page.
    for (const page of [mk, jl]) {
      page.faults = page.faults.filter((fault) => !/ERR_CONNECTION|ERR_EMPTY|ERR_INCOMPLETE|ERR_SOCKET/.test(fault));
    }
    const began = Date.now();
    await write(mk, 'Can you see this?');
    await comes(jl, 'Can you see this?');
    t.diagnostic(`an entry in the other browser after ${Date.now() - began} ms (promised: 1000)`);
  });

  await step('3. two people edit the same entry: both texts are shown, neither is lost', async () => {
    const line = 'Can you see this?';
    await room(jl);
    for (const page of [mk, jl]) await act(entry(page, line), 'Edit');
    await entry(mk, line).getByLabel('Text (Markdown)').fill('Seen by mk');
    await entry(jl, line).getByLabel('Text (Markdown)').fill('Seen by jl');
    await entry(mk, line).getByRole('button', { name: 'Save' }).click();
    await entry(mk, line).getByText('Seen by mk').first().waitFor();
    await entry(jl, line).getByRole('button', { name: 'Save' }).click();
    await jl.getByText('Somebody saved this while you were writing').waitFor();
    const form = jl.locator('form.again');
    assert.equal(await form.getByLabel('Text', { exact: true }).inputValue(), 'Seen by jl', 'yours is in the form');
    await form.locator('.theirs').getByText('mk').first().waitFor();
    await picture(jl, 'conflict');
    await form.getByRole('button', { name: 'Save mine' }).click();
    await entry(jl, line).getByText('Seen by jl').waitFor();
    await comes(mk, 'Seen by jl');
    await act(entry(jl, line), 'History');
    await jl.getByRole('heading', { name: 'Version 3' }).waitFor();
    for (const text of ['mk', 'jl']) await jl.locator('.history').getByText(text).first().waitFor();
    await room(jl);
  });

  await step('3. tasks with owner, due date, kind, recurrence, and a reason for what will not be done', async () => {
    const add = async (title, fields) => {
      const fold = await unfold(mk, 'Add a task');
      await fold.getByLabel('What is to be done').fill(title);
      for (const [label, value] of Object.entries(fields)) {
        const field = fold.getByLabel(label, { exact: true });
        await ((await field.evaluate((one) => one.tagName)) === 'SELECT' ? field.selectOption({ label: value }) : field.fill(value));
      }
      await fold.getByRole('button', { name: 'Add the task' }).click();
      await mk.locator('#tasks ul.tasks').getByText(title).waitFor();
    };
    await add('Review all weights', { Owner: 'jl', Due: '2027-02-01', Kind: 'Process', Repeats: 'each quarter' });
    await add('Buy a second balancer', { Owner: 'mk', Kind: 'Mitigate' });
    const fold = await unfold(mk, 'Buy a second balancer');
    await fold.getByLabel('State').selectOption({ label: "Won't do" });
    await fold.getByRole('button', { name: 'Save' }).click();
    await mk.locator('#tasks').getByText('Not saved yet').waitFor();
    const again = mk.locator('#tasks form.again');
    await again.getByLabel('Why it will not be done').fill('It would carry the same config');
    await again.getByRole('button', { name: 'Save' }).click();
    await mk.locator('#tasks .closed').filter({ hasText: 'Buy a second balancer' }).waitFor();
    await jl.locator('#tasks').getByText('Review all weights').waitFor();
    await jl.locator('#tasks').getByText('1 Feb').first().waitFor();
  });

  await step('4. the weights are put back: the recorder sees it, the alerts resolve', async () => {
    await setStatus(mk, 'Identified');
    const before = await mk.locator('#timeline .k-change').count();
    world.write('haproxy.cfg', world.healthy.replace(SECRETS[0], `${SECRETS[0]}-rotated`));
    await world.weights(100, ...DRAINED);
    await until('a change entry that nobody wrote', async () => {
      const newer = mk.locator('#newer');
      if (await newer.isVisible()) await newer.click({ timeout: 2000 }).catch(() => {});
      return (await mk.locator('#timeline .k-change').count()) > before;
    });
    await mk.locator('#timeline .k-change').last().getByText('edge-1 · change').waitFor();
    await mk.locator('#alerts').getByText('2 resolved').first().waitFor();
    await mk.locator('#alerts').getByText('firing').waitFor({ state: 'detached' });
    await setStatus(mk, 'Monitoring');
    await setStatus(mk, 'Resolved');
    await jl.getByRole('list', { name: 'Status' }).locator('[aria-current=step]').filter({ hasText: 'Resolved' }).waitFor();
  });

  await step('4. root cause, resolution, impact, factors and lessons are written down', async () => {
    const texts = {
      Summary: 'A deployment took four of five servers out of the rotation.',
      Impact: 'Nine in ten checkouts failed.',
      'Root cause': 'The deployment read an **empty** inventory and wrote weight 0.',
      Resolution: 'The weights were put back through the socket.',
      'What went well': 'The recorder had the minutes before.',
      'What went badly': 'The database was suspected first.',
      'Where we were lucky': 'One server was left.',
      Conclusion: 'Weights are held against a guard from now on.',
    };
    for (const [label, text] of Object.entries(texts)) {
      const fold = await unfold(mk, label, mk.locator('#writeup'));
      await fold.getByLabel(label, { exact: true }).fill(text);
      if (label === 'Impact') {
        await fold.getByLabel('Failed requests, %').fill('90');
        await fold.getByLabel('Requests lost').fill('4200');
      }
      await save(mk, fold);
    }
    const factors = await unfold(mk, 'Contributing factors', mk.locator('#writeup'));
    await factors.getByLabel('One a line').fill('Nobody looks at weights\nThe inventory has no test');
    await save(mk, factors);
    await jl.locator('#writeup').getByText('A deployment took four').first().waitFor();
  });

  await step('4. milestones are corrected afterwards, and every duration follows', async () => {
    // Browsers drop seconds that are zero.
    const local = (at) => new Date(at).toISOString().slice(0, 19).replace(/:00$/, '');
    const ended = Math.floor(Date.now() / 1000) * 1000;
    const started = ended - 40 * 60_000;
    const set = async (times) => {
      const fold = await unfold(mk, 'Milestones');
      for (const [label, at] of Object.entries(times)) await fold.getByLabel(label).fill(local(at));
      await save(mk, fold, 'Save milestones');
    };
    await set({ Started: started, Detected: started + 3 * 60_000, Resolved: started - 60_000 });
    await mk.getByText(/correct it/).first().waitFor();
    await set({ Resolved: ended });
    const facts = mk.getByRole('region', { name: 'Facts' });
    await until('the durations to follow', async () => {
      const text = await facts.innerText();
      if (/Detected after\s+3 min/i.test(text) && /Resolved after\s+40 min/i.test(text) && !/correct it/.test(text)) return true;
      throw new Error(text);
    });
    await isSound(mk, { shift: false });
    await isSound(jl, { shift: false });
  });

  await step('5. the postmortem: preview, Markdown and Hugo, the same bytes each time', async () => {
    await mk.getByRole('link', { name: 'Preview' }).first().click();
    for (const name of ['Issue Summary', 'Timeline', 'Root Cause and Resolution', 'Corrective and Preventative Measures', 'Conclusion']) {
      await mk.getByRole('heading', { name, exact: true }).waitFor();
    }
    await until('the flight recorder to be drawn', () =>
      mk.locator('.story img').first().evaluate((img) => img.complete && img.naturalWidth > 0));
    await picture(mk, 'postmortem', { fullPage: true });
    await isSound(mk);
    const download = async (name) => {
      const [file] = await Promise.all([mk.waitForEvent('download'), mk.getByRole('link', { name, exact: true }).click()]);
      return fs.readFileSync(await file.path(), 'utf8');
    };
    const plain = await download('Markdown');
    // Without their pictures, the texts can be printed where they differ.
    const same = (text, what) => {
      const words = (one) => one.replace(/base64,\S+/g, 'base64,…');
      assert.equal(words(text), words(plain), what);
      assert.ok(text === plain, `${what}: the pictures differ`);
    };
    same(await download('Markdown'), 'the same bytes again');
    const newest = async () => (await api.get('/api/v1/incidents/INC-1/series?pool=web')).times.at(-1);
    const then = await newest();
    await until('the recording to have grown', async () => (await newest()) > then);
    same(await world.command('export', 'INC-1'), 'the command writes the same file, also later');
    const hugo = await download('Hugo page');
    assert.match(hugo, /^---\n[^]*?^title: [^]*?^---\n/m);
    for (const text of [plain, hugo]) {
      for (const part of ['## Issue Summary', '## Timeline', '## Root Cause and Resolution', '## Corrective and Preventative Measures', '## Conclusion']) {
        assert.ok(text.includes(part), `${part} in:\n${text}`);
      }
      assert.match(text, /image\/svg\+xml|\.svg/, 'the flight recorder');
      assert.match(text, /```diff[^]*?^-.*web2.*weight 100[^]*?^\+.*web2.*weight 0/m, 'the config diff');
      assert.match(text, /sha256:[0-9a-f]{64}/, 'the hashes of the snapshots');
      for (const part of ['90%', '4,200', 'empty', 'The inventory has no test', 'Its slowest query takes 2 ms', 'Review all weights', 'It would carry the same config']) {
        assert.ok(text.includes(part), `${part} in:\n${text}`);
      }
    }
    assert.match(plain, /# Postmortem/);
    world.exports = [plain, hugo];
  });

  await step('5. no secret of the balancer is anywhere but in its own file', async () => {
    const seen = [...world.exports, fs.readFileSync(world.path('afterload.log'), 'utf8')];
    for (const { id } of (await api.get('/api/v1/balancers')).items) {
      const snapshots = (await api.get(`/api/v1/balancers/${id}/snapshots?limit=200`)).items;
      for (const snapshot of snapshots) {
        seen.push((await api.ask('GET', `/api/v1/snapshots/${snapshot.id}`)).text);
        seen.push((await api.ask('GET', `/api/v1/snapshots/${snapshot.id}/diff/${snapshots[0].id}`)).text);
        await mk.goto(`/snapshots/${snapshot.id}`);
        seen.push(await mk.content());
      }
    }
    await room(mk);
    seen.push(await mk.content());
    for (const name of fs.readdirSync(world.data, { recursive: true })) {
      const file = path.join(world.data, name);
      if (fs.statSync(file).isFile()) seen.push(fs.readFileSync(file, 'latin1'));
    }
    for (const secret of [...SECRETS, hook.split('/').at(-1), PASSWORD]) {
      assert.ok(!seen.some((text) => text.includes(secret)), `${secret.slice(0, 6)}… was found`);
    }
  });

  await step('7. declared by hand in two fields, or filed as over', async () => {
    await mk.goto('/incidents');
    await mk.getByRole('link', { name: /Declare/ }).first().click();
    await mk.getByLabel('What is wrong?').fill('The <b>search</b> is slow 🐢');
    await mk.getByRole('radio', { name: /SEV3/ }).check();
    await mk.getByRole('button', { name: 'Declare' }).click();
    await mk.getByRole('heading', { name: 'The <b>search</b> is slow 🐢' }).waitFor();
    assert.match(mk.url(), /\/incidents\/INC-2$/);
    await mk.goto('/incidents/new');
    await mk.getByLabel('What is wrong?').fill('Last year’s outage');
    await mk.getByRole('radio', { name: /SEV2/ }).check();
    await unfold(mk, 'More: when');
    await mk.getByLabel('Started').fill('2025-03-01T10:00');
    await mk.getByLabel('Resolved').fill('2025-03-01T11:30');
    await mk.getByRole('button', { name: 'Declare' }).click();
    await mk.getByRole('heading', { name: 'Last year’s outage' }).waitFor();
    const facts = mk.getByRole('region', { name: 'Facts' });
    await until('its duration', async () => /1 h 30 min/.test(await facts.innerText()));
    await mk.goto('/incidents?status=resolved');
    await mk.getByText('Last year’s outage').waitFor();
    await isSound(mk);
  });

  if (process.env.UPDATE_SCREENSHOTS) {
    await step('the picture of the room for the documentation', async () => {
      const visitor = await world.visitor();
      await signIn(visitor, 'mk');
      await room(visitor);
      fs.mkdirSync(path.join(root, 'docs/images'), { recursive: true });
      await visitor.screenshot({ path: path.join(root, 'docs/images/room.png') });
    });
  }
});
