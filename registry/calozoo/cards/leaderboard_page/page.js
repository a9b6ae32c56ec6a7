"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const models = new Map(data.models.map((model) => [model.name, model]));
const figures = new Map(data.figures.map((figure) => [figure.id, figure]));
const chosen = { models: new Set(models.keys()), figures: new Set(data.shown) };
const sorting = { by: data.shown[0], reverse: false };
const TRAINED = "#1f5a96", OTHER = "#8a4f9e", WITHIN = "#a3abb4", FLOOR = "#dfe3e8";

/* Elements */

function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key in made) made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

const valueOf = (model, figure) => data.values[model][figure];
const titled = (figure) => (figure.unit ? `${figure.label} [${figure.unit}]` : figure.label);

/* Whether a value can lie on either side of the best: a ratio, or a difference. */
const isTwoSided = (figure) => figure.best === 1 || Boolean(figure.signed);

/* How far a value is from the best possible one; larger is worse. */
function distance(figure, value) {
  if (figure.best === "low") return value;
  if (figure.best === "high") return -value;
  return isTwoSided(figure) ? Math.abs(value - figure.best) : value;
}

/* Speed against fidelity */

function options(select, ids, initial) {
  select.append(...ids.map((id) => element("option", { value: id }, titled(figures.get(id)))));
  select.value = ids.includes(initial) ? initial : ids[0];
  select.addEventListener("change", drawOverview);
}

/* Ticks of a logarithmic axis: powers of ten, or 1, 2 and 5 times them if these are few. */
function logTicks([low, high]) {
  const fits = (tick) => tick >= low && tick <= high;
  const tens = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power += 1) tens.push(10 ** power);
  const fine = tens.flatMap((ten) => [ten, 2 * ten, 5 * ten]).filter(fits);
  return fine.length > 7 ? tens.filter(fits) : fine;
}

/* Models that no other beats in both figures, from the fastest on. */
function paretoFront(points) {
  const front = [];
  for (const point of [...points].sort((a, b) => a.costX - b.costX || a.costY - b.costY)) {
    if (!front.length || point.costY < front.at(-1).costY) front.push(point);
  }
  return front;
}

/* Names without the tag that most models share, where there is little room. */
function shortName(model) {
  const tags = [...models.keys()].map((name) => name.split(".").slice(1).join("."));
  const shared = tags.find((tag) => tags.filter((other) => other.startsWith(tag)).length > 2 && tag);
  const [architecture, ...rest] = model.split(".");
  const tag = rest.join(".");
  return shared && tag.startsWith(shared) ? architecture + tag.slice(shared.length) : model;
}

/* Heights of the labels, no two closer than a line of text. */
function spreadLabels(points, domain, height) {
  const gap = (15 * (domain[1] - domain[0])) / height;
  let last = Infinity;
  for (const point of [...points].sort((a, b) => b.y - a.y)) {
    point.labelY = Math.min(point.y, last - gap);
    last = point.labelY;
  }
  const low = Math.min(...points.map((point) => point.labelY));
  const lift = Math.max(0, domain[0] + gap / 2 - low);
  for (const point of points) point.labelY += lift;
}

function drawOverview() {
  const across = figures.get(document.getElementById("x-figure").value);
  const up = figures.get(document.getElementById("y-figure").value);
  const place = document.getElementById("overview");
  const width = Math.min(place.clientWidth || 800, 1100);
  const narrow = width < 560;
  const height = narrow ? 330 : 380;
  const points = [];
  const missing = [];
  for (const model of chosen.models) {
    const x = valueOf(model, across.id);
    const y = valueOf(model, up.id);
    if (x && y) {
      points.push({
        model, label: narrow ? shortName(model) : model, x: x.value, y: y.value, error: y.error || 0,
        low: y.value - (y.error || 0), high: y.value + (y.error || 0),
        xText: `${x.text} ${across.unit}`, yText: `${y.text} ${up.unit}`,
        spoken: `${model}: ${x.text} ${across.unit}, ${up.label} ${y.text} ${up.unit}`,
        costX: distance(across, x.value), costY: distance(up, y.value),
        kind: models.get(model).trained ? "trained" : "other",
      });
    } else missing.push(model);
  }
  const front = paretoFront(points);
  const text = document.getElementById("overview-text");
  text.textContent = overviewText(front, missing, across, up);
  if (!points.length) return void place.replaceChildren("No chosen model has both figures.");
  const domain = overviewDomain(points, up);
  spreadLabels(points, domain, height);
  const right = Math.max(...points.map((point) => point.label.length)) * 6.6 + 8;
  const xs = points.map((point) => point.x);
  const range = [Math.min(...xs) / 1.6, Math.max(...xs) * 1.6];
  const xLabel = { title: titled(across), scale: { type: "log", nice: false, domain: range },
    axis: { values: logTicks(range), labelExpr: "format(datum.value, '~g')", labelOverlap: true } };
  const y = (field, extra = {}) => ({ field, type: "quantitative", title: titled(up), scale: { domain, zero: false }, ...extra });
  const x = { field: "x", type: "quantitative", ...xLabel };
  const colour = { field: "kind", type: "nominal", legend: null, scale: { domain: ["trained", "other"], range: [TRAINED, OTHER] } };
  const end = { datum: range[1], type: "quantitative" };
  embed(place, {
    description: `Scatter plot of ${titled(up)} against ${titled(across)}. ${text.textContent}`,
    width: width - right - 62, height,
    data: { values: points },
    layer: [
      { data: { values: front }, mark: { type: "line", aria: false, interpolate: overviewStep(across, up), color: "#c9a227", strokeWidth: 2, strokeDash: [6, 3] },
        encoding: { x, y: y("y"), order: { field: "costX" } } },
      { mark: { type: "rule", aria: false, color: "#c3cad2", strokeWidth: 0.8 }, encoding: { x, x2: end, y: y("y"), y2: { field: "labelY" } } },
      { mark: { type: "rule", aria: false, strokeWidth: 1.6 }, encoding: { x, y: y("low"), y2: { field: "high" }, color: colour } },
      { mark: { type: "point", filled: true, size: 110, opacity: 1 },
        encoding: { x, y: y("y"), color: colour, description: { field: "spoken" }, tooltip: [{ field: "model" }, { field: "xText", title: across.label }, { field: "yText", title: up.label }] } },
      { mark: { type: "text", aria: false, align: "left", dx: 5, fontSize: 12, clip: false }, encoding: { x: end, y: y("labelY"), text: { field: "label" }, color: colour } },
    ],
  });
}

function overviewDomain(points, up) {
  const ends = points.flatMap((point) => [point.low, point.high]);
  if (up.best === 0.5 || up.best === 0 || up.best === 1) ends.push(up.best);
  const [low, high] = [Math.min(...ends), Math.max(...ends)];
  const margin = (high - low || 1) * 0.05;
  return [low - margin, high + margin];
}

/* A step keeps to the side of what is dominated. */
function overviewStep(across, up) {
  return across.best === "high" ? "step-before" : "step-after";
}

function overviewText(front, missing, across, up) {
  const names = front.map((point) => `${point.model} (${point.xText.trim()}, ${point.yText.trim()})`);
  const better = up.best === 0.5 ? " An AUC of 0.5 is best: the classifier cannot tell." : "";
  const without = missing.length ? ` Without both figures: ${missing.join(", ")}.` : "";
  return names.length ? `Pareto front, dashed: ${names.join("; ")}.${better}${without}` : without;
}

/* One chart for each figure */

function chartRows(figure) {
  const rows = [];
  for (const model of chosen.models) {
    const found = valueOf(model, figure.id);
    if (!found) continue;
    const papers = (found.papers || []).filter((paper) => paper.value !== null);
    rows.push({
      model, value: found.value, text: `${found.text} ${figure.unit}`, within: Boolean(found.within),
      error: found.error || 0, floor: found.floor,
      colour: found.within ? WITHIN : models.get(model).trained ? TRAINED : OTHER,
      paper: papers.length ? papers[0].value : null,
      paperText: papers.length ? `${papers[0].text} (${papers[0].where})` : "-",
      spoken: `${model}: ${found.text} ${figure.unit}${found.within ? ", within the noise floor" : ""}`,
      cost: distance(figure, found.value),
    });
  }
  return rows.sort((a, b) => a.cost - b.cost);
}

/* Logarithmic where the values span more than a factor of 30. */
function chartScale(figure, rows) {
  const values = rows.flatMap((row) => [row.value, row.paper]).filter((value) => value !== null);
  const floors = rows.map((row) => row.floor).filter((floor) => floor !== undefined);
  const isLog = !figure.signed && (figure.best === 0 || typeof figure.best === "string") && Math.min(...values) > 0
    && Math.max(...values) > 30 * Math.min(...values);
  if (isLog) {
    const low = Math.min(...values, ...floors.filter((floor) => floor > 0)) / 2;
    return { type: "log", nice: false, domain: [low, Math.max(...rows.map((row) => row.value + row.error), ...values) * 1.5], clamp: true };
  }
  const ends = [...values, ...rows.flatMap((row) => [row.value - row.error, row.value + row.error])];
  if (typeof figure.best === "number") ends.push(figure.best);
  else ends.push(0);
  if (isTwoSided(figure)) ends.push(...floors.flatMap((floor) => [figure.best - floor, figure.best + floor]));
  else ends.push(...floors);
  const margin = !figure.signed && (figure.best === 0 || typeof figure.best === "string") ? 0 : 0.04;
  const [low, high] = [Math.min(...ends), Math.max(...ends)];
  const pad = (high - low || 1) * 0.04;
  return { type: "linear", nice: false, zero: false, domain: [margin ? low - pad : Math.min(0, low), high + pad] };
}

function drawChart(figure, place) {
  const rows = chartRows(figure);
  if (!rows.length) return void place.replaceChildren("No chosen model has it.");
  const scale = chartScale(figure, rows);
  for (const row of rows) {
    row.low = Math.max(row.value - row.error, scale.domain[0]);
    row.high = Math.min(row.value + row.error, scale.domain[1]);
    if (row.floor !== undefined) {
      row.floorLow = isTwoSided(figure) ? figure.best - row.floor : figure.best === 0.5 ? Math.min(0.5, row.floor) : scale.domain[0];
      row.floorHigh = isTwoSided(figure) ? figure.best + row.floor : figure.best === 0.5 ? Math.max(0.5, row.floor) : row.floor;
    }
  }
  const y = { field: "model", type: "nominal", sort: null, title: null, axis: { labelLimit: 190, ticks: false, domain: false } };
  const x = (field) => ({ field, type: "quantitative", scale, title: figure.unit || null,
    axis: { ...(scale.type === "log" ? { values: logTicks(scale.domain) } : { tickCount: 4 }), labelExpr: "format(datum.value, '~g')", labelOverlap: true } });
  const colour = { field: "colour", type: "nominal", scale: null };
  const longest = Math.max(...rows.map((row) => row.model.length));
  const width = Math.max(110, (place.clientWidth || 380) - Math.min(190, longest * 6.4) - 26);
  const best = isTwoSided(figure) || figure.best === 0.5;
  embed(place, {
    description: `${titled(figure)}: ${rows.map((row) => `${row.model} ${row.text}`).join("; ")}`,
    width, height: { step: 21 },
    data: { values: rows },
    layer: [
      { mark: { type: "bar", aria: false, color: FLOOR, height: 15 }, transform: [{ filter: "isValid(datum.floor)" }], encoding: { y, x: x("floorLow"), x2: { field: "floorHigh" } } },
      ...(best ? [{ mark: { type: "rule", aria: false, color: "#6b7580", strokeDash: [2, 2] }, encoding: { x: { datum: figure.best, type: "quantitative", scale } } }] : []),
      { mark: { type: "rule", aria: false, strokeWidth: 1.8 }, encoding: { y, x: x("low"), x2: { field: "high" }, color: colour } },
      { mark: { type: "point", shape: "diamond", size: 70, filled: false, color: "#b3541e" }, transform: [{ filter: "isValid(datum.paper)" }], encoding: { y, x: x("paper"), description: { field: "paperText" }, tooltip: [{ field: "model" }, { field: "paperText", title: "paper" }] } },
      { mark: { type: "point", filled: true, size: 70, opacity: 1 }, encoding: { y, x: x("value"), color: colour, description: { field: "spoken" },
        tooltip: [{ field: "model" }, { field: "text", title: figure.label }, { field: "paperText", title: "paper" }] } },
    ],
  });
}

function drawCharts() {
  const place = document.getElementById("charts");
  const made = [...chosen.figures].map((id) => {
    const figure = figures.get(id);
    const chart = element("div", { className: "chart" });
    return [figure, chart, element("figure", {}, element("figcaption", {}, titled(figure)), chart)];
  });
  place.replaceChildren(...made.map(([, , framed]) => framed));
  for (const [figure, chart] of made) drawChart(figure, chart);
}

function embed(place, spec) {
  const config = { font: "system-ui, sans-serif", view: { stroke: null }, axis: { labelFontSize: 12, titleFontSize: 12, titleFontWeight: 500, gridColor: "#edf0f3", labelColor: "#333e4a" } };
  const full = { $schema: "https://vega.github.io/schema/vega-lite/v6.json", background: null, ...spec, config };
  vegaEmbed(place, full, { actions: false, renderer: "svg", tooltip: { theme: "light" } }).catch((error) => console.error(error));
}

/* Table */

function sortedModels() {
  const known = [...chosen.models];
  if (sorting.by === "model") known.sort();
  else {
    const figure = figures.get(sorting.by);
    const cost = (model) => {
      const found = valueOf(model, sorting.by);
      return found ? distance(figure, found.value) : Infinity;
    };
    known.sort((a, b) => {
      const [one, other] = [cost(a), cost(b)];
      if (one === other) return a < b ? -1 : 1;
      if (one === Infinity || other === Infinity) return one - other; // models without it come last
      return sorting.reverse ? other - one : one - other;
    });
    return known;
  }
  return sorting.reverse ? known.reverse() : known;
}

function headCell(id, text) {
  const button = element("button", { type: "button" }, text);
  button.addEventListener("click", () => {
    sorting.reverse = sorting.by === id ? !sorting.reverse : false;
    sorting.by = id;
    drawTable();
    document.querySelector(`thead [data-id="${CSS.escape(id)}"] button`).focus();
    const order = sorting.reverse ? "the worst first" : "the best first";
    document.getElementById("sorted").textContent = id === "model" ? "Sorted by name" : `Sorted by ${text}, ${order}`;
  });
  const head = element("th", { scope: "col", role: "columnheader", "data-id": id }, button);
  if (sorting.by === id) head.setAttribute("aria-sort", sorting.reverse ? "descending" : "ascending");
  else head.setAttribute("aria-sort", "none");
  return head;
}

function valueCell(figure, model, best) {
  const found = valueOf(model, figure.id);
  const cell = element("td", { role: "cell", "data-label": titled(figure) });
  if (!found) return cell.append("–"), cell;
  const shown = element("span", { className: "value" }, found.text);
  cell.append(shown);
  if (found.within) {
    cell.className = "within";
    cell.title = "Within the noise floor of this sample";
    shown.append(element("span", { className: "unseen" }, ", within the noise floor"));
  }
  if (model === best) cell.classList.add("best");
  if (found.detail) cell.append(element("small", {}, found.detail));
  for (const paper of found.papers || []) {
    cell.append(element("small", {}, `paper: ${paper.text}, ${paper.where}`));
  }
  return cell;
}

function bestModel(figure) {
  const known = [...chosen.models].filter((model) => valueOf(model, figure.id));
  const costs = known.map((model) => distance(figure, valueOf(model, figure.id).value));
  if (new Set(costs).size < 2) return null;
  return known[costs.indexOf(Math.min(...costs))];
}

function drawTable() {
  const table = document.getElementById("figures");
  const shown = [...chosen.figures].map((id) => figures.get(id));
  const best = new Map(shown.map((figure) => [figure.id, bestModel(figure)]));
  const heads = [headCell("model", "model"), ...shown.map((figure) => headCell(figure.id, titled(figure)))];
  table.tHead.replaceChildren(element("tr", { role: "row" }, ...heads));
  table.tBodies[0].replaceChildren(...sortedModels().map((model) => element("tr", { role: "row" },
    element("th", { scope: "row", role: "rowheader" }, element("a", { href: models.get(model).card }, model)),
    ...shown.map((figure) => valueCell(figure, model, best.get(figure.id))))));
}

/* Choices */

function checkbox(text, set, value, redraw) {
  const box = element("input", { type: "checkbox", checked: set.has(value), value });
  box.addEventListener("change", () => {
    if (box.checked) set.add(value);
    else set.delete(value);
    redraw();
  });
  return element("label", {}, box, text);
}

function chooseModels(isWanted) {
  for (const box of document.querySelectorAll("#models input")) {
    box.checked = isWanted(models.get(box.value));
    if (box.checked) chosen.models.add(box.value);
    else chosen.models.delete(box.value);
  }
  drawAll();
}

function figuresInOrder() {
  chosen.figures = new Set([...figures.keys()].filter((id) => chosen.figures.has(id)));
  if (sorting.by !== "model" && !chosen.figures.has(sorting.by)) Object.assign(sorting, { by: "model", reverse: false });
  drawTable();
  drawCharts();
}

function buildChoices() {
  const place = document.getElementById("models");
  for (const model of models.keys()) place.append(checkbox(model, chosen.models, model, drawAll));
  document.getElementById("all-models").addEventListener("click", () => chooseModels(() => true));
  document.getElementById("trained-models").addEventListener("click", () => chooseModels((model) => model.trained));
  for (const [group, title] of Object.entries(data.groups)) {
    const ids = [...figures.values()].filter((figure) => figure.group === group);
    if (!ids.length) continue;
    // `chosen.figures` is replaced as figures are put in order, so the boxes go through this.
    const set = { has: (id) => chosen.figures.has(id), add: (id) => chosen.figures.add(id), delete: (id) => chosen.figures.delete(id) };
    const boxes = ids.map((figure) => checkbox(titled(figure), set, figure.id, figuresInOrder));
    const legend = element("legend", { className: "unseen" }, title);
    document.getElementById("groups").append(
      element("details", { open: group === "structure" }, element("summary", {}, title), element("fieldset", {}, legend, ...boxes)));
  }
}

function buildMeasured() {
  const papers = (model) => model.papers.flatMap((url) => [element("a", { href: url }, url.replace("https://", "")), " "]);
  document.getElementById("measured").append(...data.models.map((model) => element("article", {},
    element("h3", {}, model.name), element("p", {}, model.summary),
    element("p", {}, `Hardware: ${model.hardware}.${model.timed ? ` Timed with ${model.timed}.` : " Not timed."}`),
    element("p", {}, `Sample: ${model.sample}.`),
    element("p", {}, "To measure it again:"), element("code", {}, model.command),
    element("p", {}, element("a", { href: model.card, "aria-label": `Card of ${model.name}` }, "Card"), " ", ...papers(model)))));
  document.getElementById("notes").append(...data.notes.map((note) => element("li", {}, note)));
}

function drawAll() {
  drawTable();
  drawOverview();
  drawCharts();
}

const costs = data.figures.filter((figure) => figure.group === "cost").map((figure) => figure.id);
const qualities = data.figures.filter((figure) => figure.group !== "cost").map((figure) => figure.id);
if (costs.length && qualities.length) {
  options(document.getElementById("x-figure"), costs, "cost/single_ms");
  options(document.getElementById("y-figure"), qualities, data.figures[0].id);
} else document.querySelector("main section").hidden = true;
buildChoices();
buildMeasured();
if (!costs.length || !qualities.length) drawOverview = () => {};
drawAll();
let resizing;
let lastWidth = window.innerWidth;
addEventListener("resize", () => {
  if (window.innerWidth === lastWidth) return;
  lastWidth = window.innerWidth;
  clearTimeout(resizing);
  resizing = setTimeout(drawAll, 150);
});
document.documentElement.dataset.ready = Math.round(performance.now());
