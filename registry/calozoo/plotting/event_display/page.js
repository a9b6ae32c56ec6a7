"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const get = (id) => document.getElementById(id);
const RAMP = [[86, 60, 200], [132, 40, 190], [180, 50, 150], [219, 92, 104], [244, 136, 73], [254, 188, 43], [245, 245, 90]];
const TINTS = ["#5aa9ff", "#ff9f43", "#4cd3a5", "#f472b6", "#c4b5fd", "#fde047", "#fb7185", "#67e8f9", "#a3e635", "#f0abfc"];
const LINES = ["#1f5a96", "#c2541b", "#2c7a4b"];
const NOBODY = [105, 115, 130]; // of deposits of no photon or primary
const NONE = 255;
const FIELD = 32, SLOW_MS = 32, FAST_MS = 24; // 32 ms are 31 frames a second
const LEAST = { resolution: 0.5, detail: 0.25 };
const START = { azimuth: -122, elevation: 20 };
const state = {
  index: 0, kind: "points", together: false, byShower: false, colours: "energy", found: true, threshold: 0, turning: false,
  azimuth: START.azimuth, elevation: START.elevation, zoom: 1, pan: [0, 0], resolution: 1, detail: 1, sheets: true,
};

function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key in made) made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

const plural = (n, word) => `${n.toLocaleString("en")} ${word}${n === 1 ? "" : "s"}`;
const short = (value) => Number(value.toPrecision(4)).toString();
const energyAt = (level) => data.energy[state.kind][0] * (data.energy[state.kind][1] / data.energy[state.kind][0]) ** level;

/* Deposits: positions in mm and levels from 0 to 1, out of packed columns of 16-bit numbers */

function deposits(buffer, { begin, count }) {
  const view = new DataView(buffer, begin * 8, count * 8);
  const positions = new Float32Array(3 * count);
  const levels = new Float32Array(count);
  for (let i = 0; i < count; i += 1) {
    for (let axis = 0; axis < 3; axis += 1) positions[3 * i + axis] = view.getInt16(2 * (axis * count + i), true) * data.step;
    levels[i] = view.getUint16(2 * (3 * count + i), true) / 65535;
  }
  return { positions, levels };
}

/* Numbers from 0 of the photon found and of the primary of each deposit. */
function groupsOf(groups, { begin, count }, column) {
  return groups.subarray(2 * begin, 2 * (begin + count)).filter((_, i) => i % 2 === column);
}

function tintOf(i) {
  const hex = TINTS[i % TINTS.length];
  return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
}

/* Colours of groups, darker where the energy is low, as bytes. */
function grouped(numbers, levels) {
  const colours = new Uint8Array(3 * levels.length);
  numbers.forEach((number, i) => {
    const tint = number === NONE ? NOBODY : tintOf(number);
    for (let c = 0; c < 3; c += 1) colours[3 * i + c] = tint[c] * (0.55 + 0.45 * levels[i]);
  });
  return colours;
}

/* Colours of levels, as bytes. */
function ramped(levels) {
  const colours = new Uint8Array(3 * levels.length);
  levels.forEach((level, i) => {
    const at = Math.min(level * (RAMP.length - 1), RAMP.length - 1.001);
    const [low, high] = [RAMP[Math.floor(at)], RAMP[Math.floor(at) + 1]];
    for (let c = 0; c < 3; c += 1) colours[3 * i + c] = low[c] + (high[c] - low[c]) * (at % 1);
  });
  return colours;
}

const SHARED = `
  attribute float level; attribute vec3 rgb;
  uniform float threshold; uniform vec3 tint; uniform float tinted;
  varying vec3 colour;
  vec3 chosen() { return mix(rgb, tint * (0.55 + 0.45 * level), tinted); }`;
const POINT_VERTEX = `uniform float pixels; ${SHARED}
  void main() {
    colour = chosen();
    vec4 at = modelViewMatrix * vec4(position, 1.0);
    gl_Position = level < threshold ? vec4(2.0, 2.0, 2.0, 1.0) : projectionMatrix * at;
    gl_PointSize = max(1.5, mix(0.9, 6.0, level * level) * pixels / -at.z);
  }`;
const POINT_FRAGMENT = `varying vec3 colour;
  void main() { vec2 from = gl_PointCoord - 0.5; if (dot(from, from) > 0.25) discard; gl_FragColor = vec4(colour, 1.0); }`;
const CELL_VERTEX = `attribute vec3 middle; uniform float cell; ${SHARED}
  void main() {
    float side = cell * mix(0.25, 0.98, sqrt(level));
    colour = chosen() * (0.62 + 0.38 * abs(dot(vec3(0.488, 0.78, -0.39), normal)));
    vec4 at = modelViewMatrix * vec4(middle + position * vec3(side, side, 1.6), 1.0);
    gl_Position = level < threshold ? vec4(2.0, 2.0, 2.0, 1.0) : projectionMatrix * at;
  }`;
const CELL_FRAGMENT = "varying vec3 colour; void main() { gl_FragColor = vec4(colour, 1.0); }";

function materials(T) {
  const shared = { threshold: { value: 0 }, pixels: { value: 500 }, cell: { value: data.files[0].cell } };
  const made = (vertexShader, fragmentShader) => () => new T.ShaderMaterial({
    uniforms: { ...shared, tint: { value: new T.Vector3(1, 1, 1) }, tinted: { value: 0 } }, vertexShader, fragmentShader,
  });
  return { shared, points: made(POINT_VERTEX, POINT_FRAGMENT), hits: made(CELL_VERTEX, CELL_FRAGMENT) };
}

function cloud(T, packed, entry, kind, made) {
  const { positions, levels } = deposits(packed.buffer, entry);
  const column = { photons: 0, primaries: 1 }[state.colours];
  const colours = column === undefined ? ramped(levels) : grouped(groupsOf(packed.groups, entry, column), levels);
  let found;
  if (kind === "points") {
    const geometry = new T.BufferGeometry();
    geometry.setAttribute("position", new T.BufferAttribute(positions, 3));
    geometry.setAttribute("level", new T.BufferAttribute(levels, 1));
    geometry.setAttribute("rgb", new T.BufferAttribute(colours, 3, true));
    found = new T.Points(geometry, made.points());
  } else {
    const box = new T.BoxGeometry(1, 1, 1);
    const geometry = new T.InstancedBufferGeometry();
    geometry.index = box.index;
    for (const name of ["position", "normal"]) geometry.setAttribute(name, box.attributes[name]);
    geometry.setAttribute("middle", new T.InstancedBufferAttribute(positions, 3));
    geometry.setAttribute("level", new T.InstancedBufferAttribute(levels, 1));
    geometry.setAttribute("rgb", new T.InstancedBufferAttribute(colours, 3, true));
    geometry.instanceCount = levels.length;
    found = new T.Mesh(geometry, made.hits());
  }
  found.frustumCulled = false;
  found.onBeforeRender = () => {
    const n = Math.ceil(levels.length * state.detail);
    if (kind === "points") found.geometry.setDrawRange(0, n);
    else found.geometry.instanceCount = n;
  };
  return found;
}

/* The detector: sensitive layers, the axis of the shower, and a scale */

function segments(T, corners, colour, opacity) {
  const geometry = new T.BufferGeometry();
  geometry.setAttribute("position", new T.BufferAttribute(new Float32Array(corners), 3));
  return new T.LineSegments(geometry, new T.LineBasicMaterial({ color: colour, transparent: true, opacity, depthWrite: false }));
}

function rectangle(x0, x1, y0, y1, z) {
  return [x0, y0, z, x1, y0, z, x1, y0, z, x1, y1, z, x1, y1, z, x0, y1, z, x0, y1, z, x0, y0, z];
}

function layerLines(file, shower, side) {
  if (state.kind === "hits" && side.sheets) {
    return side.sheets.flatMap(([layer, x0, x1, y0, y1]) => rectangle(x0, x1, y0, y1, file.depths[layer]));
  }
  return file.depths.flatMap((z) => {
    const [x, y] = shower.axis.map((slope) => slope * z);
    return rectangle(x - 60, x + 60, y - 60, y + 60, z);
  });
}

function label(T, text, [x, y, z], colour = "#aab6c4") {
  const canvas = element("canvas", { width: 256, height: 64 });
  const pen = canvas.getContext("2d");
  pen.font = "34px system-ui, sans-serif";
  pen.fillStyle = colour;
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  pen.fillText(text, 128, 32);
  const sprite = new T.Sprite(new T.SpriteMaterial({ map: new T.CanvasTexture(canvas), depthTest: false, transparent: true }));
  sprite.position.set(x, y, z);
  sprite.scale.set(48, 12, 1);
  return sprite;
}

function path([before, entry, end]) {
  return [...before, ...entry, ...entry, ...end];
}

/* Each photon found: its path, a ring where it enters, and its energy, in its colour. */
function photonsFound(T, side) {
  const near = (side.photons || []).filter(({ line }) => line);
  const byHeight = [...near].sort((one, other) => one.line[0][1] - other.line[0][1]);
  return near.flatMap((photon) => {
    const colour = TINTS[photon.tint % TINTS.length];
    const [before, entry] = photon.line;
    const ring = [];
    for (let k = 0; k < 24; k += 1) {
      for (const turn of [k, k + 1]) ring.push(entry[0] + 5 * Math.cos((turn * Math.PI) / 12), entry[1] + 5 * Math.sin((turn * Math.PI) / 12), entry[2]);
    }
    // Labels of photons beside each other are moved apart.
    const lift = 12 * (byHeight.indexOf(photon) - (near.length - 1) / 2);
    const at = [before[0], before[1] + lift, before[2] - 18];
    return [segments(T, [...path(photon.line), ...ring], colour, 1), label(T, `${short(photon.energy)} GeV`, at, colour)];
  });
}

function surroundings(T, file, shower, side) {
  const group = new T.Group();
  const depth = file.depth;
  const end = shower.axis.map((slope) => slope * depth);
  const paths = shower.primaries ? shower.primaries.flatMap(({ line }) => (line ? path(line) : [])) : path([[0, 0, -25], [0, 0, 0], [...end, depth]]);
  group.add(segments(T, paths, "#dfe7f0", 0.8));
  if (state.found) for (const drawn of photonsFound(T, side)) group.add(drawn);
  const at = (z, x, y) => [shower.axis[0] * z + x, shower.axis[1] * z + y, z];
  const low = at(0, -60, -60);
  group.add(segments(T, [...low, low[0] + 50, low[1], 0, ...low, low[0], low[1] + 50, 0, ...low, low[0], low[1], 50], "#8fd3ff", 0.95));
  group.add(label(T, "50 mm x'", [low[0] + 55, low[1] - 6, 0]), label(T, "y'", [low[0], low[1] + 58, 0]));
  if (state.sheets) {
    group.add(segments(T, layerLines(file, shower, side), "#7f93ab", 0.22));
    for (let layer = 0; layer < file.depths.length; layer += 10) group.add(label(T, `layer ${layer}`, at(file.depths[layer], 0, 74)));
    group.add(label(T, `layer ${file.depths.length - 1}`, at(file.depths.at(-1), 0, 74)));
  }
  return group;
}

/* Scenes: one a file, the same camera */

function shownNumbers() {
  return state.together ? data.showers.map((_, i) => i) : [state.index];
}

function build(T, packed, made, kept) {
  return data.files.map((file, number) => {
    const scene = new T.Scene();
    for (const i of shownNumbers()) {
      const entry = data.showers[i].sides[number][state.kind];
      if (!entry) continue;
      const key = `${number} ${i} ${state.kind} ${state.colours}`;
      if (!kept.has(key)) kept.set(key, cloud(T, packed, entry, state.kind, made));
      const found = kept.get(key);
      const offset = state.together && data.offsets ? data.offsets[i] : [0, 0, 0];
      found.position.set(...offset);
      found.material.uniforms.tint.value.set(...tintOf(i).map((part) => part / 255));
      found.material.uniforms.tinted.value = state.byShower ? 1 : 0;
      scene.add(found);
    }
    scene.add(surroundings(T, file, data.showers[state.index], data.showers[state.index].sides[number]));
    return scene;
  });
}

function aim(T, camera, aspect) {
  const shower = data.showers[state.index];
  const depth = data.files[0].depth;
  const middle = new T.Vector3(shower.axis[0] * depth * 0.45, shower.axis[1] * depth * 0.45, depth * 0.45);
  const reach = 0.62 * Math.hypot(depth, depth * shower.axis[0], depth * shower.axis[1], 60);
  const distance = (reach / Math.tan((FIELD * Math.PI) / 360) / Math.min(1, aspect)) / state.zoom;
  const [azimuth, elevation] = [state.azimuth, state.elevation].map((angle) => (angle * Math.PI) / 180);
  const towards = new T.Vector3(Math.cos(elevation) * Math.sin(azimuth), Math.sin(elevation), Math.cos(elevation) * Math.cos(azimuth));
  camera.up.set(0, 1, 0);
  camera.aspect = aspect;
  camera.position.copy(middle).addScaledVector(towards, distance);
  camera.lookAt(middle);
  camera.updateMatrixWorld();
  const right = new T.Vector3().setFromMatrixColumn(camera.matrixWorld, 0);
  const upward = new T.Vector3().setFromMatrixColumn(camera.matrixWorld, 1);
  camera.position.addScaledVector(right, -state.pan[0] * distance).addScaledVector(upward, state.pan[1] * distance);
  camera.near = distance / 50;
  camera.far = distance * 6;
  camera.updateProjectionMatrix();
}

/* Panels of the stage in CSS pixels: beside each other, or above each other where it is narrow. */
function panels() {
  const { clientWidth: width, clientHeight: height } = get("canvas");
  const n = data.files.length;
  if (n === 1) return [{ x: 0, y: 0, width, height }];
  if (width > height) return data.files.map((_, i) => ({ x: (i * width) / n, y: 0, width: width / n, height }));
  return data.files.map((_, i) => ({ x: 0, y: (i * height) / n, width, height: height / n }));
}

function display(T, packed) {
  const canvas = get("canvas");
  const renderer = new T.WebGLRenderer({ canvas, antialias: false, preserveDrawingBuffer: false });
  renderer.setClearColor("#0d131d");
  renderer.autoClear = false;
  const camera = new T.PerspectiveCamera(FIELD, 1, 1, 5000);
  const made = materials(T);
  const kept = new Map();
  let scenes = build(T, packed, made, kept);
  let frames = 0, waiting = false, last = 0, moving = 0, pace = FAST_MS;

  function draw() {
    const height = canvas.clientHeight;
    renderer.setPixelRatio(Math.min(2, devicePixelRatio) * state.resolution);
    renderer.setSize(canvas.clientWidth, height, false);
    renderer.setScissorTest(true);
    made.shared.threshold.value = state.threshold;
    panels().forEach((panel, i) => {
      const from = height - panel.y - panel.height;
      renderer.setViewport(panel.x, from, panel.width, panel.height);
      renderer.setScissor(panel.x, from, panel.width, panel.height);
      renderer.clear();
      aim(T, camera, panel.width / panel.height);
      made.shared.pixels.value = (panel.height * renderer.getPixelRatio()) / (2 * Math.tan((FIELD * Math.PI) / 360));
      renderer.render(scenes[i], camera);
    });
    frames += 1;
    canvas.dataset.frames = frames;
  }

  /* While something moves, frames that come too slowly get fewer pixels, then fewer deposits. */
  function adapt(elapsed) {
    pace += 0.2 * (elapsed - pace);
    if (pace > SLOW_MS) {
      if (state.resolution > LEAST.resolution) state.resolution = Math.max(LEAST.resolution, state.resolution * 0.9);
      else state.detail = Math.max(LEAST.detail, state.detail * 0.95);
    } else if (pace < FAST_MS) {
      if (state.detail < 1) state.detail = Math.min(1, state.detail * 1.02);
      else state.resolution = Math.min(1, state.resolution * 1.02);
    }
  }

  function step(now) {
    waiting = false;
    const elapsed = now - last;
    last = now;
    const isMoving = state.turning || now < moving;
    if (isMoving && elapsed < 2000) adapt(elapsed);
    if (!isMoving) Object.assign(state, { resolution: 1, detail: 1 });
    if (state.turning) state.azimuth += Math.min(elapsed, 100) * 0.03;
    draw();
    if (isMoving) request();
  }

  function request() {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(step);
  }

  /* What WebGL drew is gone by the time a page is printed; a copy stands in for it on paper. */
  addEventListener("beforeprint", () => {
    draw();
    const copy = get("printed");
    Object.assign(copy, { width: canvas.width, height: canvas.height });
    copy.getContext("2d").drawImage(canvas, 0, 0);
  });

  return {
    redraw: request,
    move() {
      moving = performance.now() + 250;
      request();
    },
    rebuild() {
      scenes = build(T, packed, made, kept);
      request();
    },
  };
}

/* Words and numbers */

const Noun = data.noun[0].toUpperCase() + data.noun.slice(1);

function describeSide(side) {
  const entry = side[state.kind];
  if (!entry) return `no ${state.kind}`;
  const parts = [plural(entry.count, state.kind.slice(0, -1)), `${short(entry.visible)} MeV`];
  if (side.photons) parts.push(`${plural(side.photons.length, "photon")} found`);
  if (side.elsewhere && side.elsewhere[0]) parts.push(`${plural(side.elsewhere[0], "hit")} of ${short(side.elsewhere[1])} MeV elsewhere in the detector`);
  return parts.join(", ");
}

function describe() {
  const shower = data.showers[state.index];
  const total = data.showers.length;
  const sides = data.files.map((file, i) => `${file.model}: ${describeSide(shower.sides[i])}`);
  const primary = shower.text || `${shower.particle} of ${short(shower.energy)} GeV at ${shower.theta}° to the normal`;
  const head = state.together ? `All ${total} showers.` : `${Noun} ${shower.number} (${state.index + 1} of ${total}): ${primary}.`;
  const where = !state.together ? "" : data.offsets ? " Each at its entry point." : " All moved to one entry point.";
  get("summary").textContent = `${head}${where} ${state.together ? "" : `${sides.join("; ")}.`}`;
  get("canvas").setAttribute("aria-label", `${head} Drawing in 3D of ${state.kind} in the layers of ${data.files[0].detector}.`);
  get("shower").setAttribute("aria-valuetext", `${data.noun} ${shower.number}`);
  get("legend-text").textContent = { energy: "colour and size", photons: "size; colour by photon found", primaries: "size; colour by the primary that left most" }[state.colours];
  get("bar").hidden = state.colours !== "energy";
  get("legend-low").textContent = short(data.energy[state.kind][0]);
  get("legend-high").textContent = short(data.energy[state.kind][1]);
  describeThreshold();
  drawNumbers(shower);
  drawLayers(shower);
}

function describeThreshold() {
  get("threshold-text").textContent = state.threshold ? `${short(energyAt(state.threshold))} MeV` : "all";
}

function drawNumbers(shower) {
  const rows = [
    ["file", (file) => file.name],
    ["model", (file) => file.model],
    ["detector", (file) => (state.kind === "hits" ? file.hits : file.detector)],
    [state.kind, (_, entry) => entry.count.toLocaleString("en")],
    ["energy [MeV]", (_, entry) => short(entry.visible)],
    ["layer of the middle", (_, entry) => short(middleLayer(entry.layers))],
  ];
  const none = { count: 0, visible: 0, layers: [0] };
  get("numbers").tBodies[0].replaceChildren(...rows.map(([name, text]) => element("tr", {},
    element("th", { scope: "row" }, name),
    ...data.files.map((file, i) => element("td", {}, text(file, shower.sides[i][state.kind] || none) || "–")))),
    ...photonRows(shower));
}

/* Rows of the photons found: energy, and distance from the primary that each stands for. */
function photonRows(shower) {
  const found = shower.sides.map((side) => side.photons || []);
  const most = Math.max(...found.map((photons) => photons.length));
  if (!shower.sides.some((side) => side.photons)) return [];
  const cell = (photon) => {
    if (!photon) return element("td", {}, "–");
    const swatch = element("span", { className: "swatch", ariaHidden: "true" });
    swatch.style.background = TINTS[photon.tint % TINTS.length];
    const primary = photon.primary === null ? null : shower.primaries[photon.primary];
    const where = primary ? ` (true ${short(primary.energy)})${photon.offset === null ? "" : `, ${photon.offset.toFixed(1)} mm off`}` : ", of no primary";
    return element("td", {}, swatch, `${short(photon.energy)} GeV${where}`);
  };
  return [
    element("tr", {}, element("th", { scope: "row" }, "photons found"), ...found.map((photons) => element("td", {}, String(photons.length)))),
    ...Array.from({ length: most }, (_, i) => element("tr", {}, element("th", { scope: "row" }, `photon ${i + 1}`), ...found.map((photons) => cell(photons[i])))),
  ];
}

function middleLayer(layers) {
  const sum = layers.reduce((total, energy) => total + energy, 0);
  return sum ? layers.reduce((total, energy, layer) => total + energy * layer, 0) / sum : 0;
}

function drawLayers(shower) {
  const series = shower.sides.map((side) => (side[state.kind] || { layers: [] }).layers);
  const n = Math.max(1, ...series.map((layers) => layers.length));
  const top = Math.max(1e-9, ...series.flat());
  const x = (layer) => 40 + (layer * 372) / n;
  const y = (energy) => 140 - (energy * 125) / top;
  const parts = [`<path d="M40 140H412M40 140V10" stroke="#8996a5" fill="none"/>`, `<text x="36" y="18" text-anchor="end">${short(top)}</text>`, `<text x="36" y="143" text-anchor="end">0</text>`];
  for (let layer = 0; layer < n; layer += 5) parts.push(`<text x="${x(layer + 0.5)}" y="156" text-anchor="middle">${layer}</text>`);
  parts.push(`<text x="412" y="169" text-anchor="end">layer</text>`);
  series.forEach((layers, i) => {
    const path = layers.map((energy, layer) => `L${x(layer)} ${y(energy).toFixed(1)}H${x(layer + 1)}`).join("");
    parts.push(`<path d="M${x(0)} 140${path}" fill="none" stroke="${LINES[i]}" stroke-width="1.6"/>`);
    parts.push(`<text x="408" y="${22 + 15 * i}" text-anchor="end" style="fill:${LINES[i]}"></text>`);
  });
  get("layers").innerHTML = parts.join("");
  get("layers").querySelectorAll("text[style]").forEach((text, i) => { text.textContent = data.files[i].model; });
}

function placeNames() {
  get("names").replaceChildren(...panels().map((panel, i) => {
    const name = element("span", {}, data.files[i].model);
    const { clientWidth: width, clientHeight: height } = get("canvas");
    const share = (part, whole) => `${(100 * part) / whole}%`;
    Object.assign(name.style, { left: share(panel.x, width), top: share(panel.y, height), maxWidth: share(panel.width, width) });
    return name;
  }));
}

/* Controls */

function listen(shown) {
  const canvas = get("canvas");
  const slider = get("shower");
  const change = () => {
    state.index = Number(slider.value);
    describe();
    shown.rebuild();
  };
  slider.max = data.showers.length - 1;
  slider.addEventListener("input", change);
  const go = (by) => {
    slider.value = (state.index + by + data.showers.length) % data.showers.length;
    change();
  };
  get("previous").addEventListener("click", () => go(-1));
  get("next").addEventListener("click", () => go(1));
  const toggle = (id, name) => get(id).addEventListener("change", () => {
    state[name] = get(id).checked;
    describe();
    shown.rebuild();
  });
  toggle("found", "found");
  toggle("together", "together");
  toggle("colours", "byShower");
  toggle("sheets", "sheets");
  const isEvent = data.noun === "event";
  const isFound = data.showers.some((shower) => shower.sides.some((side) => side.photons));
  get("together-label").hidden = isEvent || data.showers.length < 2;
  get("colours-label").hidden = isEvent;
  get("found-label").hidden = !isFound;
  get("by-label").hidden = !data.groups;
  get("by-photon").hidden = get("by-photon").disabled = !isFound;
  get("by").addEventListener("change", () => {
    state.colours = get("by").value;
    describe();
    shown.rebuild();
  });
  for (const kind of kinds()) {
    const radio = element("input", { type: "radio", name: "kind", value: kind, checked: kind === state.kind });
    radio.addEventListener("change", () => {
      state.kind = kind;
      describe();
      shown.rebuild();
    });
    get("kinds").append(element("label", {}, radio, kind));
  }
  get("kinds").hidden = kinds().length < 2;
  const threshold = get("threshold");
  threshold.addEventListener("input", () => {
    state.threshold = Number(threshold.value) / 1000;
    describeThreshold();
    shown.redraw();
  });
  for (const button of document.querySelectorAll("[data-view]")) {
    button.addEventListener("click", () => {
      look(button.dataset.view);
      shown.redraw();
    });
  }
  get("turn").addEventListener("click", () => {
    state.turning = !state.turning;
    get("turn").setAttribute("aria-pressed", state.turning);
    shown.redraw();
  });
  listenToPointer(canvas, shown);
  listenToKeys(canvas, shown);
  new ResizeObserver(() => {
    placeNames();
    shown.redraw();
  }).observe(canvas);
}

function look(view) {
  const angles = { start: START, side: { azimuth: -90, elevation: 0 }, axis: { azimuth: 180, elevation: 0 } };
  Object.assign(state, angles[view], { zoom: 1, pan: [0, 0] });
}

function turn(right, up) {
  state.azimuth -= right;
  state.elevation = Math.max(-89, Math.min(89, state.elevation + up));
}

function zoom(factor) {
  state.zoom = Math.max(0.3, Math.min(30, state.zoom * factor));
}

function listenToPointer(canvas, shown) {
  const down = new Map();
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    down.set(event.pointerId, [event.clientX, event.clientY]);
  });
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, (event) => down.delete(event.pointerId));
  canvas.addEventListener("pointermove", (event) => {
    const before = down.get(event.pointerId);
    if (!before) return;
    const [dx, dy] = [event.clientX - before[0], event.clientY - before[1]];
    if (down.size === 2) {
      const other = [...down].find(([id]) => id !== event.pointerId)[1];
      const apart = (at) => Math.hypot(at[0] - other[0], at[1] - other[1]);
      zoom(apart([event.clientX, event.clientY]) / Math.max(1, apart(before)));
    } else if (event.shiftKey || event.buttons === 2) {
      const height = canvas.clientHeight;
      state.pan = [state.pan[0] + (0.55 * dx) / height, state.pan[1] + (0.55 * dy) / height];
    } else turn(dx * 0.4, dy * 0.4);
    down.set(event.pointerId, [event.clientX, event.clientY]);
    shown.move();
  });
  canvas.addEventListener("contextmenu", (event) => event.preventDefault());
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoom(Math.exp(-event.deltaY * 0.0015));
    shown.move();
  }, { passive: false });
}

function listenToKeys(canvas, shown) {
  const keys = {
    ArrowLeft: () => turn(-6, 0), ArrowRight: () => turn(6, 0), ArrowUp: () => turn(0, 6), ArrowDown: () => turn(0, -6),
    "+": () => zoom(1.2), "=": () => zoom(1.2), "-": () => zoom(1 / 1.2), 0: () => look("start"),
  };
  canvas.addEventListener("keydown", (event) => {
    const action = keys[event.key];
    if (!action || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    action();
    shown.move();
  });
}

function kinds() {
  return ["hits", "points"].filter((kind) => data.showers.some((shower) => shower.sides.every((side) => side[kind])));
}

async function unpacked(text) {
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
}

async function start() {
  const T = THREE;
  const packed = { buffer: await unpacked(data.packed) };
  if (data.groups) packed.groups = new Uint8Array(await unpacked(data.groups));
  state.kind = kinds()[0] || "points";
  get("title").textContent = data.title;
  get("bar").style.background = `linear-gradient(to right, ${RAMP.map((rgb) => `rgb(${rgb})`).join(",")})`;
  get("shower-label").textContent = data.noun;
  for (const id of ["previous", "next"]) get(id).setAttribute("aria-label", `${id === "next" ? "Next" : "Previous"} ${data.noun}`);
  get("numbers").caption.textContent = `This ${data.noun}`;
  listen(display(T, packed));
  placeNames();
  describe();
  document.documentElement.dataset.ready = Math.round(performance.now());
}

start().catch((error) => {
  console.error(error);
  get("summary").textContent = `This browser cannot draw it in 3D: ${error.message}`;
});
