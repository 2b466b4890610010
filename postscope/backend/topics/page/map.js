"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const n = data.x.length, X = Float32Array.from(data.x), Y = Float32Array.from(data.y);
  const topic = Int32Array.from(data.topic), time = Float64Array.from(data.time);
  const canvas = document.getElementById("map"), context = canvas.getContext("2d", {alpha: false});
  const tip = document.getElementById("tip"), count = document.getElementById("count");
  const legend = document.getElementById("times");
  const minute = seconds => new Date(seconds * 1000).toISOString().replace("T", " ").slice(0, 16);
  const BACK = 0xff1a1410, GREY = 0xff5a5048;  // as the pixels are kept: alpha, blue, green, red
  let scale = 1, left = 0, top = 0, dpr = 1, image = null, pixels = null, queued = false, moved = false;
  let colours = new Uint32Array(n), bright = null, order = null;

  const bounds = values => values.reduce(([a, b], v) => [Math.min(a, v), Math.max(b, v)], [Infinity, -Infinity]);
  const [x0, x1] = n ? bounds(X) : [0, 1], [y0, y1] = n ? bounds(Y) : [0, 1];

  // A grid over the map, so that what is under the pointer is found at once.
  const SIDE = 256, width = Math.max(x1 - x0, 1e-6), height = Math.max(y1 - y0, 1e-6);
  const cellOf = (x, y) => Math.min(SIDE - 1, Math.floor((y - y0) / height * SIDE)) * SIDE
    + Math.min(SIDE - 1, Math.floor((x - x0) / width * SIDE));
  const starts = new Int32Array(SIDE * SIDE + 1), inCells = new Int32Array(n);
  for (let i = 0; i < n; i++) starts[cellOf(X[i], Y[i]) + 1]++;
  for (let c = 0; c < SIDE * SIDE; c++) starts[c + 1] += starts[c];
  const next = starts.slice();
  for (let i = 0; i < n; i++) inCells[next[cellOf(X[i], Y[i])]++] = i;

  function pixel(h, s, l) {
    const f = k => { const t = (k + h / 30) % 12; return l - s * Math.min(l, 1 - l) * Math.max(-1, Math.min(t - 3, 9 - t, 1)); };
    return (0xff000000 | Math.round(f(4) * 255) << 16 | Math.round(f(8) * 255) << 8 | Math.round(f(0) * 255)) >>> 0;
  }
  function paint(by) {
    const sorted = Float64Array.from(time).sort();
    const early = sorted[Math.floor(n * .01)] || 0, late = sorted[Math.floor(n * .99)] || 1;
    const [first, ...bars] = legend.children, last = bars.pop();
    legend.hidden = by !== "time" || !n;
    first.textContent = minute(early); last.textContent = minute(late) + " UTC";
    bars.forEach((bar, k) => {
      const share = k / (bars.length - 1);
      bar.style.backgroundColor = `hsl(${250 - 205 * share} 80% ${45 + 20 * share}%)`;
    });
    // Golden angle: neighbours in the list get hues far apart.
    const hues = data.topics.map((_, t) => pixel(t * 137.508 % 360, .65, .55 + (t % 3) * .07));
    for (let i = 0; i < n; i++) {
      if (by === "time") {
        const share = Math.min(1, Math.max(0, (time[i] - early) / Math.max(late - early, 1)));
        colours[i] = pixel(250 - 205 * share, .8, .45 + .2 * share);
      } else colours[i] = topic[i] < 0 ? GREY : hues[topic[i]];
    }
  }
  function search(words) {
    const wanted = words.trim().toLowerCase();
    bright = null; order = null;
    let found = n;
    if (wanted) {
      const names = data.topics.map(t => t.name.toLowerCase().includes(wanted));
      bright = new Uint8Array(n); found = 0;
      for (let i = 0; i < n; i++)
        if (names[topic[i]] || data.text[i].toLowerCase().includes(wanted)) { bright[i] = 1; found++; }
    }
    const shown = n < data.total ? `${n.toLocaleString()} of ${data.total.toLocaleString()} posts` : `${n.toLocaleString()} posts`;
    count.textContent = wanted ? `${found.toLocaleString()} found in ${shown}` : shown;
  }
  function fit() {
    dpr = Math.min(window.devicePixelRatio || 1, 2);
    canvas.width = Math.round(innerWidth * dpr); canvas.height = Math.round(innerHeight * dpr);
    image = context.createImageData(canvas.width, canvas.height);
    pixels = new Uint32Array(image.data.buffer);
  }
  function showAll() {
    const above = document.querySelector("header").getBoundingClientRect().bottom * dpr, below = canvas.height - above;
    scale = .9 * Math.min(canvas.width / width, below / height);
    left = canvas.width / 2 - (x0 + x1) / 2 * scale; top = above + below / 2 - (y0 + y1) / 2 * scale;
    moved = false;
  }
  function dots(dimmed) {
    const w = canvas.width, h = canvas.height;
    const base = .9 * Math.min(w / width, h / height);
    const size = Math.round(Math.max(1, Math.min(9, 1.6 * Math.pow(scale / base, .45))) * dpr);
    for (let i = 0; i < n; i++) {
      const isBright = !bright || bright[i] === 1;
      if (isBright === dimmed) continue;
      const px = (X[i] * scale + left | 0) - (size >> 1), py = (Y[i] * scale + top | 0) - (size >> 1);
      if (px < 0 || py < 0 || px + size >= w || py + size >= h) continue;
      const colour = dimmed ? 0xff2e2722 : colours[i];
      for (let row = py * w + px, end = row + size * w; row < end; row += w)
        for (let at = row; at < row + size; at++) pixels[at] = colour;
    }
  }
  function labels() {
    const taken = [];
    context.font = `600 ${13 * dpr}px system-ui,sans-serif`; context.textAlign = "center"; context.textBaseline = "middle";
    context.lineWidth = 4 * dpr; context.strokeStyle = "#10141a"; context.fillStyle = "#fff";
    order = order || data.topics.map((_, t) => t).sort((a, b) => data.topics[b].posts - data.topics[a].posts);
    for (const t of order) {
      const one = data.topics[t], x = one.x * scale + left, y = one.y * scale + top;
      if (x < 0 || y < 0 || x > canvas.width || y > canvas.height) continue;
      const text = one.name.length > 42 ? one.name.slice(0, 41) + "…" : one.name;
      const half = context.measureText(text).width / 2 + 6 * dpr, up = 10 * dpr;
      if (taken.some(b => Math.abs(b[0] - x) < b[2] + half && Math.abs(b[1] - y) < 2 * up)) continue;
      taken.push([x, y, half]);
      context.strokeText(text, x, y); context.fillText(text, x, y);
      if (taken.length === 60) break;
    }
  }
  function draw() {
    queued = false;
    pixels.fill(BACK);
    if (bright) dots(true);
    dots(false);
    context.putImageData(image, 0, 0);
    labels();
  }
  function ask() { if (!queued) { queued = true; requestAnimationFrame(draw); } }
  function zoom(by, px, py) {
    left = px - (px - left) * by; top = py - (py - top) * by; scale *= by; moved = true; tip.hidden = true; ask();
  }
  function under(px, py) {
    const x = (px - left) / scale, y = (py - top) / scale, reach = 10 * dpr / scale;
    const a = Math.max(0, Math.floor((x - reach - x0) / width * SIDE)), b = Math.min(SIDE - 1, Math.floor((x + reach - x0) / width * SIDE));
    const c = Math.max(0, Math.floor((y - reach - y0) / height * SIDE)), d = Math.min(SIDE - 1, Math.floor((y + reach - y0) / height * SIDE));
    let best = -1, nearest = reach * reach;
    for (let row = c; row <= d; row++) for (let at = starts[row * SIDE + a]; a <= b && at < starts[row * SIDE + b + 1]; at++) {
      const i = inCells[at], square = (X[i] - x) ** 2 + (Y[i] - y) ** 2;
      if (square < nearest && (!bright || bright[i])) { nearest = square; best = i; }
    }
    return best;
  }
  function hover(event) {
    const i = under(event.clientX * dpr, event.clientY * dpr);
    tip.hidden = i < 0;
    if (i < 0) return;
    const [name, text, small] = tip.children;
    name.textContent = topic[i] < 0 ? "outlier" : data.topics[topic[i]].name;
    text.textContent = data.text[i] || "(no text)";
    small.textContent = `${data.source[i]} · ${minute(time[i])} UTC · ${data.id[i]}`;
    tip.style.left = Math.min(event.clientX + 14, innerWidth - 370) + "px";
    tip.style.top = Math.min(event.clientY + 14, innerHeight - tip.offsetHeight - 10) + "px";
  }
  const pointers = new Map();
  canvas.addEventListener("pointerdown", e => {
    canvas.setPointerCapture(e.pointerId); pointers.set(e.pointerId, e); canvas.classList.add("moving"); tip.hidden = true;
  });
  canvas.addEventListener("pointermove", e => {
    const before = pointers.get(e.pointerId);
    if (!before) { hover(e); return; }
    if (pointers.size === 2) {
      const other = [...pointers.values()].find(p => p.pointerId !== e.pointerId);
      const apart = p => Math.hypot(p.clientX - other.clientX, p.clientY - other.clientY);
      zoom(apart(e) / Math.max(apart(before), 1), (e.clientX + other.clientX) / 2 * dpr, (e.clientY + other.clientY) / 2 * dpr);
    } else { left += (e.clientX - before.clientX) * dpr; top += (e.clientY - before.clientY) * dpr; moved = true; ask(); }
    pointers.set(e.pointerId, e);
  });
  const release = e => { pointers.delete(e.pointerId); if (!pointers.size) canvas.classList.remove("moving"); };
  canvas.addEventListener("pointerup", release);
  canvas.addEventListener("pointercancel", release);
  canvas.addEventListener("pointerleave", () => { tip.hidden = true; });
  canvas.addEventListener("wheel", e => {
    e.preventDefault(); zoom(Math.exp(-e.deltaY * (e.deltaMode ? .05 : .0015)), e.clientX * dpr, e.clientY * dpr);
  }, {passive: false});
  canvas.addEventListener("keydown", e => {
    const step = 60 * dpr, go = {ArrowLeft: [step, 0], ArrowRight: [-step, 0], ArrowUp: [0, step], ArrowDown: [0, -step]}[e.key];
    if (go) { left += go[0]; top += go[1]; moved = true; ask(); }
    if (e.key === "+" || e.key === "-") zoom(e.key === "+" ? 1.25 : .8, canvas.width / 2, canvas.height / 2);
    if (e.key === "0") { showAll(); ask(); }
  });
  document.getElementById("search").addEventListener("input", e => { tip.hidden = true; search(e.target.value); ask(); });
  document.getElementById("colour").addEventListener("change", e => { paint(e.target.value); ask(); });
  document.getElementById("reset").addEventListener("click", () => { showAll(); ask(); });
  addEventListener("resize", () => { fit(); if (!moved) showAll(); ask(); });
  fit(); paint("topic"); search(""); showAll(); draw();
})();
