// The walk once more without a browser: every step that a person can do has its route, with a token made
// on the command line before anybody has an account.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import test from 'node:test';
import { PNG } from './actions.mjs';
import { Rest } from './rest.mjs';
import { SECRETS, World, afterload, until } from './world.mjs';

const ALERT = {
  version: '4',
  groupKey: '{}:{cluster="shop"}',
  truncatedAlerts: 0,
  status: 'firing',
  receiver: 'afterload',
  groupLabels: { cluster: 'shop' },
  commonLabels: { alertname: 'ShopErrors', cluster: 'shop', severity: 'critical' },
  commonAnnotations: { summary: 'The shop answers with errors' },
  externalURL: 'http://alertmanager.example',
  alerts: [
    {
      status: 'firing',
      labels: { alertname: 'ShopErrors', cluster: 'shop', severity: 'critical' },
      annotations: { summary: 'The shop answers with errors' },
      startsAt: new Date(Date.now() - 60_000).toISOString(),
      endsAt: '0001-01-01T00:00:00Z',
      generatorURL: 'http://prometheus.example/graph',
      fingerprint: 'c0ffee0000000001',
    },
  ],
};

test('an incident from alert to postmortem through REST', async (t) => {
  const world = await World.make();
  t.after(() => world.stop());
  await world.startBalancer();
  await world.serve();
  const token = (await world.command('token', 'create', 'walk', '--scopes', 'admin')).trim();
  assert.doesNotMatch(token, /\s/, 'the token stands alone on standard output');
  const api = new Rest(world.url, token);
  let balancer;
  let incident;

  await t.test('a balancer is added and recorded', async () => {
    await api.post('/api/v1/balancers', { name: 'edge', config_path: 'relative.cfg' }, { expect: 422 });
    const fields = { name: 'edge', kind: 'haproxy', config_path: world.config, state_address: world.socket, poll_seconds: 1 };
    balancer = await api.post('/api/v1/balancers', fields);
    await until('the recorder to have read the balancer', async () => {
      const { live } = await api.get(`/api/v1/balancers/${balancer.id}`);
      const pool = live.pools.find((one) => one.name === 'web');
      if (!pool || pool.servers.length !== 5) return false;
      return pool.servers.every((server) => server.weight === 100 && server.up && server.share > 0.1 && server.share < 0.3);
    });
    await api.patch(`/api/v1/balancers/${balancer.id}`, { name: 'edge-1' });
    assert.deepEqual((await api.get('/api/v1/balancers')).items.map((one) => one.name), ['edge-1']);
    const { items } = await api.get(`/api/v1/balancers/${balancer.id}/snapshots`);
    assert.equal(items.length, 1);
    const snapshot = await api.get(`/api/v1/snapshots/${items[0].id}`);
    assert.match(snapshot.config, /balance roundrobin/);
    for (const secret of SECRETS) assert.ok(!JSON.stringify(snapshot).includes(secret), 'secrets are redacted');
  });

  await t.test('a change through the socket is a snapshot, and can be compared', async () => {
    await world.weights(40, 'web5');
    const snapshots = await until('a second snapshot', async () => {
      const { items } = await api.get(`/api/v1/balancers/${balancer.id}/snapshots`);
      return items.length === 2 && items;
    });
    assert.match(snapshots[0].changes.join('\n'), /web5/);
    const diff = await api.get(`/api/v1/snapshots/${snapshots[1].id}/diff/${snapshots[0].id}`);
    assert.match(diff.changes.map((change) => change.sentence).join('\n'), /web5.*100.*40/);
    const sent = fs.readFileSync(world.config, 'utf8').replace('balance roundrobin', 'balance leastconn');
    const pushed = await api.post(`/api/v1/balancers/${balancer.id}/snapshots`, sent, { type: 'text/plain' });
    assert.match(pushed.changes.join('\n'), /leastconn/);
  });

  await t.test('an alert opens an incident, repeats count, a resolve is noted', async () => {
    const made = await api.post('/api/v1/integrations', { name: 'monitoring', format: 'alertmanager' });
    assert.equal((await api.get('/api/v1/integrations')).items[0].hook_path, undefined, 'the hook is shown once');
    const hook = new Rest(world.url);
    const first = await hook.ask('POST', made.hook_path, { body: ALERT, expect: 202 });
    assert.equal(first.json.alerts[0].incident, 'INC-1');
    await hook.ask('POST', made.hook_path, { body: ALERT, expect: 202 });
    const resolved = structuredClone(ALERT);
    resolved.status = resolved.alerts[0].status = 'resolved';
    resolved.alerts[0].endsAt = new Date().toISOString();
    await hook.ask('POST', made.hook_path, { body: resolved, expect: 202 });
    const alerts = (await api.get('/api/v1/incidents/INC-1/alerts')).items;
    assert.deepEqual(alerts.map((alert) => [alert.status, alert.count]), [['resolved', 2]]);
    assert.equal((await api.get('/api/v1/alerts')).items.length, 1);
    await hook.ask('POST', made.hook_path, { body: '{"version": 4, "alerts":', type: 'text/plain', expect: 202 });
    const deliveries = (await api.get(`/api/v1/integrations/${made.id}/deliveries`)).items;
    assert.equal(deliveries.filter((delivery) => delivery.status === 'failed').length, 1, 'the broken one is kept and shown');
    await hook.ask('POST', '/hooks/nobody', { body: ALERT, expect: 404 });
    const { hook_path: fresh } = await api.post(`/api/v1/integrations/${made.id}/key`);
    await hook.ask('POST', fresh, { body: resolved, expect: 202 });
    incident = await api.get('/api/v1/incidents/INC-1');
    assert.deepEqual([incident.severity, incident.status, incident.title], ['sev1', 'investigating', 'The shop answers with errors']);
    const linked = (await api.get('/api/v1/incidents/INC-1/snapshots')).items;
    assert.ok(linked.some((one) => one.role === 'before' || one.role === 'during'), 'snapshots are linked');
    const series = await api.get('/api/v1/incidents/INC-1/series?pool=web');
    assert.ok(JSON.stringify(series).length > 200, 'what was recorded before is there');
  });

  await t.test('the timeline: repeats, corrections, detours, decisions, pictures', async () => {
    const at = '/api/v1/incidents/INC-1/timeline';
    const id = '0193c3f0-0000-7000-8000-00000000c0de';
    const note = { id, kind: 'note', title: 'Checkout is slow', occurred_at: '2026-11-21T12:00:00+01:00' };
    const written = await api.post(at, note);
    assert.deepEqual([written.occurred_at, written.utc_offset_minutes], ['2026-11-21T11:00:00Z', 60]);
    assert.equal((await api.post(at, note, { expect: 200 })).id, id, 'sent again, it is still one');
    const refused = await api.post(at, { title: 'x', occurred_at: '2026-11-21T12:00:00' }, { expect: 422 });
    assert.equal(refused.errors[0].pointer, '/occurred_at');
    await api.post(at, { title: 'x', urgency: 9 }, { expect: 422 });
    await api.patch(`${at}/${id}`, { body: 'Since noon', pinned: true });
    const stale = { body: { title: 'Mine' }, headers: { 'if-match': '"1"' }, expect: 412 };
    assert.equal((await api.ask('PATCH', `${at}/${id}`, stale)).json.current.body, 'Since noon', 'a conflict brings the current text');
    await api.ask('PATCH', `${at}/${id}`, { body: { title: 'Mine' }, expect: 428 });
    assert.deepEqual((await api.get(`${at}/${id}/revisions`)).items.map((one) => one.body), ['', 'Since noon']);
    await api.delete(`${at}/${id}`);
    await api.post(`${at}/${id}/restore`, undefined, { expect: 200 });
    const guess = await api.post(at, { kind: 'hypothesis', title: 'The database is slow' });
    const right = 'Last month it began the same way';
    await api.patch(`${at}/${guess.id}`, { state: 'ruled_out', looked_right: right, ruled_out_by: 'Its queries take 2 ms' });
    const options = [
      { title: 'Put the weights back', chosen: true, reason: 'known good' },
      { title: 'Add servers', chosen: false, reason: 'too slow' },
    ];
    await api.post(at, { kind: 'decision', title: 'Roll back', options });
    const image = await api.post('/api/v1/attachments?name=graph.png', PNG, { type: 'application/octet-stream' });
    await api.post(at, { title: 'The graph', attachments: [image.id], pinned: true });
    const fetched = await api.ask('GET', `/api/v1/attachments/${image.id}`);
    assert.equal(fetched.response.headers.get('content-type'), 'image/png');
    const entries = (await api.get(`${at}?limit=200`)).items;
    assert.ok(entries.length >= 5);
    assert.deepEqual(entries.map((one) => one.occurred_at), entries.map((one) => one.occurred_at).sort(), 'in order of time');
  });

  await t.test('tasks outlive it: owner, due date, recurrence, a reason when it will not be done', async () => {
    const at = '/api/v1/incidents/INC-1/tasks';
    const task = await api.post(at, { title: 'Review weights', owner: 'mk', due_on: '2027-01-15', kind: 'prevent', recurrence: 'quarterly' });
    await api.patch(`/api/v1/tasks/${task.id}`, { status: 'done' });
    const both = (await api.get(at)).items;
    assert.deepEqual(both.map((one) => one.status).sort(), ['done', 'open'], 'a repeating task comes back');
    const other = await api.post(at, { title: 'Second balancer', kind: 'mitigate' });
    await api.patch(`/api/v1/tasks/${other.id}`, { status: 'wont_do' }, { expect: 422 });
    await api.patch(`/api/v1/tasks/${other.id}`, { status: 'wont_do', wont_do_reason: 'It would carry the same config' });
    assert.equal((await api.get('/api/v1/tasks')).items.length, 3);
  });

  await t.test('resolving, write-up, corrected milestones', async () => {
    const at = '/api/v1/incidents/INC-1';
    await world.weights(100, 'web5');
    for (const status of ['identified', 'monitoring', 'resolved']) await api.patch(at, { status });
    await api.patch(at, { status: 'investigating' }, { expect: 422 });
    incident = await api.patch(at, {
      root_cause: 'A weight was set through the socket, and nobody saw it.',
      resolution: 'The weight was put back.',
      impact: 'Some checkouts failed.',
      impact_figures: { failed_requests_share: 0.25, requests_lost: 1200 },
      contributing_factors: ['No guard on weights'],
      lessons: { went_well: 'The recorder had it', went_badly: 'An hour on the database', lucky: 'It was a quiet day' },
      milestones: { started: '2026-11-21T10:00:00Z', detected: '2026-11-21T10:05:00Z', resolved: '2026-11-21T11:00:00Z' },
    });
    assert.deepEqual([incident.durations.time_to_detect, incident.durations.total], [300, 3600]);
    incident = await api.patch(at, { milestones: { resolved: '2026-11-21T09:00:00Z' } });
    assert.ok(incident.warnings.length > 0, 'a contradiction is a warning, not a refusal');
    await api.patch(at, { milestones: { resolved: '2026-11-21T11:00:00Z' } });
    const linked = (await api.get(`${at}/snapshots`)).items;
    await api.ask('PUT', `${at}/snapshots/${linked.at(-1).id}`, { body: { role: 'fix' }, expect: 204 });
    await api.delete(`${at}/snapshots/${linked[0].id}`);
    await api.ask('PUT', `${at}/snapshots/${linked[0].id}`, { body: { role: 'before' }, expect: 204 });
  });

  await t.test('the postmortem in its forms, the same bytes each time', async () => {
    const at = '/api/v1/incidents/INC-1';
    const markdown = await api.ask('GET', `${at}/export?flavour=plain`);
    const again = await api.ask('GET', `${at}/export?flavour=plain`);
    assert.equal(markdown.text, again.text);
    assert.equal(markdown.text, await world.command('export', 'INC-1'), 'the command writes the same file');
    assert.match((await api.ask('GET', `${at}/export?flavour=hugo`)).text, /^---\n[^]*?\n---\n/);
    await api.ask('GET', `${at}/export?flavour=morse`, { expect: 422 });
    const said = await api.ask('GET', `${at}/postmortem`, { headers: { accept: 'text/markdown' } });
    assert.match(said.text, /## Root Cause and Resolution/);
    assert.match((await api.ask('GET', `${at}/postmortem`, { headers: { accept: 'text/html' } })).text, /<h2/);
    assert.equal((await api.get(`${at}/postmortem`)).incident.reference, 'INC-1');
    const zip = await api.ask('GET', `${at}/export?bundle=true`);
    assert.match(zip.response.headers.get('content-type'), /zip/);
  });

  await t.test('declared by hand, or back-filled as over', async () => {
    const declared = await api.post('/api/v1/incidents', { title: '<script>alert(1)</script> | `x` 🔥', severity: 'sev3' });
    assert.equal(declared.reference, 'INC-2');
    await api.post('/api/v1/incidents', { title: ' ' }, { expect: 422 });
    await api.post('/api/v1/incidents', { title: 'x'.repeat(1_000_000) }, { expect: 422 });
    const over = await api.post('/api/v1/incidents', {
      title: 'The old one',
      status: 'resolved',
      milestones: { started: '2024-06-01T10:00:00+02:00', resolved: '2024-06-01T11:30:00+02:00' },
    });
    assert.deepEqual([over.status, over.durations.total], ['resolved', 5400]);
    const found = await api.get('/api/v1/incidents?q=old&open=false');
    assert.deepEqual(found.items.map((one) => one.reference), ['INC-3']);
    await api.delete('/api/v1/incidents/INC-3');
    assert.equal((await api.get('/api/v1/incidents?open=false')).items.length, 1);
    await api.post('/api/v1/incidents/INC-3/restore', undefined, { expect: 200 });
  });

  await t.test('everything that happened can be followed, also after a restart', async () => {
    const before = await api.events('/api/v1/events', 0, (events) => events.some((event) => event.event === 'incident.opened'));
    await world.restart();
    const rest = await api.events('/api/v1/events', before.at(-1).id, (events) => events.length >= 5);
    assert.ok(Number(rest[0].id) > Number(before.at(-1).id), 'replay goes on where it ended');
    assert.ok((await api.get('/api/v1/audit?limit=200')).items.length > 20);
  });

  await t.test('people and tokens: what one may, and when it ends', async () => {
    await api.post('/api/v1/users', { handle: 'mk', password: 'a long enough password', role: 'admin' });
    const person = await api.post('/api/v1/users', { handle: 'jl', password: 'a long enough password', role: 'responder' });
    await api.ask('PATCH', `/api/v1/users/${person.id}`, { body: { role: 'viewer' } });
    assert.ok((await api.get('/api/v1/users')).items.some((one) => one.handle === 'jl'));
    const reader = new Rest(world.url, (await world.command('token', 'create', 'reader', '--scopes', 'incidents:read')).trim());
    await reader.get('/api/v1/incidents');
    await reader.post('/api/v1/incidents', { title: 'x' }, { expect: 403 });
    const { items } = await api.get('/api/v1/tokens');
    await api.delete(`/api/v1/tokens/${items.find((one) => one.name === 'reader').id}`);
    await reader.get('/api/v1/incidents', { expect: 401 });
    await new Rest(world.url, 'wrong').get('/api/v1/incidents', { expect: 401 });
    await new Rest(world.url).get('/api/v1/incidents', { expect: 401 });
    await api.get('/api/v1/incidents/INC-999', { expect: 404 });
    await api.get('/api/v1/nowhere', { expect: 404 });
    api.used.delete('GET /api/v1/nowhere');
  });

  await t.test('every route of this test is in the OpenAPI document', async () => {
    const document = await new Rest(world.url).get('/api/openapi.json');
    assert.match(document.openapi, /^3\.1/);
    assert.deepEqual(api.undocumented(document), []);
    assert.deepEqual(JSON.parse(await afterload('openapi')), document, 'the command prints the same document');
  });
});
