// The page works without this. Script adds: live updates, drafts, keys, zones, links between chart and timeline.
import { zones } from "./time.js";
import { forms } from "./forms.js";
import { keys } from "./keys.js";
import { live } from "./live.js";
import { timeline } from "./timeline.js";
import { composer } from "./composer.js";
import { charts } from "./chart.js";

zones();
forms();
keys();
const room = document.querySelector("[data-room]");
if (room) timeline(room);
live(room);
if (room) {
  composer(room);
  charts(room);
}
