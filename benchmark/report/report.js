"use strict";
const all = (selector, inside = document) => [...inside.querySelectorAll(selector)];
const byId = (id) => document.getElementById(id);

// The result table: a click on a heading sorts, the best first; what is missing stays last.
all(".results thead tr:last-child th").forEach((th, column) => {
  th.querySelector("button").onclick = () => {
    const turned = { ascending: "descending", descending: "ascending" };
    const direction = turned[th.getAttribute("aria-sort")] ?? th.dataset.first;
    const sign = direction === "ascending" ? 1 : -1;
    const key = (row) => row.cells[column].dataset.order;
    const body = th.closest("table").tBodies[0];
    all(".results [aria-sort]").forEach((other) => other.removeAttribute("aria-sort"));
    th.setAttribute("aria-sort", direction);
    const compare = (a, b) => isNaN(a) || isNaN(b) ? a.localeCompare(b, undefined, { numeric: true }) : a - b;
    const rows = [...body.rows].sort((a, b) => (key(a) === "") - (key(b) === "") || sign * compare(key(a), key(b)));
    body.append(...rows);
  };
});
all(".columns input").forEach((box) => {
  box.onchange = () => all(`.results [data-group="${box.value}"]`).forEach((cell) => { cell.hidden = !box.checked; });
});

// The viewer: one picture, or two with a movable cut between them.
const viewer = byId("viewer"), pictures = all(".picture");
const view = (left, right) => {
  const scenes = new Set([left, right].filter(Boolean).map((one) => one.dataset.scene));
  const offered = pictures.filter((one) => scenes.has(one.dataset.scene));
  const label = (one) => scenes.size > 1 ? `${one.dataset.name} (${one.dataset.scene})` : one.dataset.name;
  const option = (one, chosen) => new Option(label(one), pictures.indexOf(one), false, one === chosen);
  byId("left").replaceChildren(...offered.map((one) => option(one, left)));
  byId("right").replaceChildren(new Option("nothing", -1), ...offered.map((one) => option(one, right)));
  show();
  if (!viewer.open) viewer.showModal();
};
const show = () => {
  const [left, right] = ["left", "right"].map((id) => pictures[byId(id).value]);
  const image = (one) => one.querySelector("img");
  byId("under").src = image(left).src;
  byId("under").alt = image(left).alt;
  byId("over").hidden = byId("cut").hidden = !right;
  if (right) { byId("over").src = image(right).src; byId("over").alt = image(right).alt; }
  const names = [left, right].filter(Boolean).map((one) => one.dataset.name).join("  |  ");
  byId("viewer-title").textContent = `${names} · ${left.dataset.scene}`;
};
const cut = () => byId("over").style.setProperty("--cut", `${byId("cut").value}%`);
byId("left").onchange = byId("right").onchange = show;
byId("cut").oninput = cut;
byId("close").onclick = () => viewer.close();
viewer.onclick = (event) => { if (event.target === viewer) viewer.close(); };
viewer.querySelector(".stage").onpointermove = (event) => {
  if (event.pointerType === "mouse" && !event.buttons) return;
  const box = byId("under").getBoundingClientRect();
  byId("cut").value = (100 * (event.clientX - box.left)) / box.width;
  cut();
};
all(".stage img").forEach((one) => { one.draggable = false; });
let picked = null;
pictures.forEach((one) => {
  one.querySelector(".enlarge").onclick = () => view(one);
  one.querySelector(".pick").onclick = (event) => {
    if (picked && picked !== one) view(picked, one);
    picked?.querySelector(".pick").setAttribute("aria-pressed", "false");
    picked = picked ? null : one;
    event.currentTarget.setAttribute("aria-pressed", String(picked === one));
  };
});

// The figures: live once they come near the screen; until then, and on paper, their SVG.
const dark = matchMedia("(prefers-color-scheme: dark)");
const specifications = JSON.parse(byId("specifications")?.textContent ?? "[]");
const draw = async (place) => {
  const [ink, line] = ["--ink", "--line"].map((name) => getComputedStyle(place).getPropertyValue(name));
  await vegaEmbed(place, specifications[place.dataset.position], {
    renderer: "svg", tooltip: { theme: dark.matches ? "dark" : "light" },
    actions: { export: true, source: false, compiled: false, editor: false },
    config: {
      background: "transparent", font: "system-ui, sans-serif", view: { stroke: line },
      axis: { labelColor: ink, titleColor: ink, gridColor: line, domainColor: line, tickColor: line },
      legend: {
        labelColor: ink, titleColor: ink, layout: { bottom: { direction: "vertical" } },
      },
    },
  });
  place.classList.add("ready");
};
const near = new IntersectionObserver((entries) => entries.filter((one) => one.isIntersecting).forEach((one) => {
  near.unobserve(one.target);
  draw(one.target);
}), { rootMargin: "600px" });
all(".live").forEach((place) => near.observe(place));
dark.onchange = () => all(".live.ready").forEach(draw);
