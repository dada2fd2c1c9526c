"use strict";
const byId = (id) => document.getElementById(id);
const page = JSON.parse(byId("page").textContent);
const buttons = [...document.querySelectorAll(".scores button")];
const place = `style-transfer-rating ${page.id}`;

// What is kept in the browser: the person, their scores by picture, where they are, and whether all is exported.
let state = null;
try { state = JSON.parse(localStorage.getItem(place)); } catch { state = null; }
const keep = () => {
  try {
    if (state) localStorage.setItem(place, JSON.stringify(state));
    else localStorage.removeItem(place);
  } catch { byId("unkept").hidden = false; }
};

// The order follows from the page and the person: FNV-1a of both with each picture's id, its bits mixed (MurmurHash3).
const hash = (text) => {
  let bits = 2166136261;
  for (const one of text) bits = Math.imul(bits ^ one.codePointAt(0), 16777619);
  bits = Math.imul(bits ^ (bits >>> 16), 2246822507);
  bits = Math.imul(bits ^ (bits >>> 13), 3266489909);
  return (bits ^ (bits >>> 16)) >>> 0;
};
let order = [];
const arrange = () => {
  const keyed = page.pictures.map((one) => [hash(`${page.id} ${state.rater} ${one.id}`), one]);
  order = keyed.sort(([a], [b]) => a - b).map(([, one]) => one);
};

const show = (announced = "") => {
  const at = state?.at ?? 0, number = order.length, rated = Object.keys(state?.scores ?? {}).length;
  const shown = state && order[at];
  byId("start").hidden = Boolean(state);
  byId("rating").hidden = !shown;
  byId("done").hidden = !state || Boolean(shown);
  byId("end").hidden = !state;
  byId("progress").value = rated;
  byId("whom").textContent = state ? state.rater : "";
  byId("where").textContent = shown ? `${at + 1} of ${number}` : `${page.pictures.length} pictures`;
  byId("export").classList.toggle("main", Boolean(state) && !shown);
  byId("export").disabled = !rated;
  if (shown) {
    byId("picture").src = shown.source;
    byId("picture").alt = `picture ${at + 1} of ${number}`;
    byId("target").textContent = shown.target;
    for (const one of buttons) one.setAttribute("aria-pressed", String(Number(one.dataset.score) === state.scores[shown.id]));
    byId("back").disabled = at === 0;
    byId("next").disabled = !(shown.id in state.scores);
    const before = state.scores[shown.id];
    byId("announced").textContent = `${announced} Picture ${at + 1} of ${number}, ${shown.target}. ${before ? `Your score: ${before}.` : ""}`;
  } else if (state) byId("done").querySelector("h1").focus();
};
const go = (step) => {
  if (!state || state.at + step < 0 || (step > 0 && !(order[state.at]?.id in state.scores))) return;
  state.at += step;
  keep();
  show();
};
const score = (value) => {
  state.scores[order[state.at].id] = value;
  state.at += 1;
  state.exported = false;
  byId("exported").textContent = "";
  keep();
  show(`${value}.`);
};

byId("begin").onsubmit = (event) => {
  event.preventDefault();
  const [random] = crypto.getRandomValues(new Uint32Array(1));
  const rater = byId("name").value.trim() || `anonymous-${random.toString(16).padStart(8, "0")}`;
  state = { rater, scores: {}, at: 0, exported: false };
  arrange();
  keep();
  show();
  buttons[0].focus();
};
for (const one of buttons) one.onclick = () => score(Number(one.dataset.score));
byId("back").onclick = byId("correct").onclick = () => go(-1);
byId("next").onclick = () => go(1);
document.onkeydown = (event) => {
  if (byId("rating").hidden && byId("done").hidden) return;
  if (event.repeat || event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.key === "ArrowLeft") go(-1);
  else if (byId("rating").hidden) return;
  else if (event.key === "ArrowRight") go(1);
  else if (/^[0-9]$/.test(event.key)) score(Number(event.key) || 10);
};

byId("export").onclick = () => {
  const { rater, scores } = state;
  const answers = { page: page.id, question: page.question, rater, pictures: order.length, order: order.map((one) => one.id), scores };
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([`${JSON.stringify(answers, null, 1)}\n`], { type: "application/json" }));
  link.download = `answers_${rater.replace(/[^\p{L}\p{N}-]+/gu, "_")}_${page.id}.json`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  state.exported = true;
  keep();
  byId("exported").textContent = `Exported ${Object.keys(scores).length} of ${order.length} scores as ${link.download}.`;
};
byId("forget").onclick = () => {
  if (!state.exported && Object.keys(state.scores).length && !confirm("The answers are not exported yet. Forget them?")) return;
  state = null;
  byId("exported").textContent = byId("announced").textContent = byId("name").value = "";
  keep();
  show();
  byId("name").focus();
};

if (state) arrange();
keep();
show();
