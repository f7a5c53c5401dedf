// Draw the page's numbers as uPlot charts, in the colours of the page's theme.

const percent = (value) => `${(100 * value).toFixed(Math.abs(value) < 0.1 ? 1 : 0)}%`;
const READABLE = {
  percent,
  share: percent,
  number: (value) => value.toLocaleString("en"),
  number3: (value) => value.toFixed(4),
};
const tenths = (value) => `${Math.round(1000 * value) / 10}%`;
const TICKS = { ...READABLE, percent: tenths, share: tenths, number3: (value) => value.toFixed(3) };
const DAY = 86400;
const AXIS = 58;
const ROW = 15;
const ROWS = 4;

export function drawCharts() {
  if (document.querySelector("[data-plot]") === null) return;
  const script = document.createElement("script");
  script.src = new URL("uplot/uPlot.iife.min.js", import.meta.url);
  script.addEventListener("load", () => {
    for (const place of document.querySelectorAll("[data-plot]")) {
      const data = JSON.parse(document.getElementById(place.dataset.plot).textContent);
      keepDrawn(place, data);
    }
  });
  document.head.append(script);
}

function keepDrawn(place, data) {
  let plot = null;
  let width = 0;
  const draw = () => {
    plot?.destroy();
    width = place.clientWidth;
    plot = new window.uPlot(options(place, data), [data.x, ...data.series.map((one) => one.values)], place);
  };
  draw();
  document.addEventListener("recfleet:theme", draw);
  new ResizeObserver(() => place.clientWidth !== width && draw()).observe(place);
}

function size(place, rows) {
  return { width: Math.max(200, place.clientWidth), height: 190 + ROW * rows };
}

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

function options(place, data) {
  const readable = READABLE[data.unit];
  const line = colour("line");
  const font = `12px ${getComputedStyle(document.body).fontFamily}`;
  const axis = { stroke: colour("muted"), font, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 } };
  const times = [...data.x, ...data.marks.map((one) => one.x)];
  const range = around(Math.min(...times), Math.max(...times));
  const width = size(place, 0).width - AXIS - 16;
  const labels = laidOut(data.marks, range, width, font);
  const rows = Math.max(0, ...labels.map((one) => one.row + 1));
  return {
    ...size(place, rows),
    padding: [rows > 0 ? ROW * rows + 4 : null, null, null, null],
    tzDate: (seconds) => window.uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
    cursor: { drag: { x: false, y: false }, points: { size: 7 } },
    scales: {
      x: { range: () => range },
      y: { range: (_, low, high) => (low === null ? [0, 1] : withRoom(low, high, data.unit)) },
    },
    axes: [
      { ...axis, splits: () => someOf(data.x, (70 * (range[1] - range[0])) / width), values: (_, marks) => marks.map(dayAndMonth) },
      { ...axis, size: AXIS, values: (_, marks) => marks.map(TICKS[data.unit]) },
    ],
    series: [
      { label: "as of", value: (_, seconds) => (seconds === null ? "–" : whole(seconds)) },
      ...data.series.map((one) => ({
        label: one.label,
        stroke: colour(one.colour),
        width: 2,
        spanGaps: true,
        dash: one.colour === "muted" ? [5, 4] : undefined,
        points: { show: data.x.length <= 40, size: 6, fill: colour(one.colour) },
        value: (_, value) => (value === null || value === undefined ? "–" : readable(value)),
      })),
    ],
    hooks: { draw: [(plot) => mark(plot, labels, font)], setCursor: [newestUnlessPointedAt] },
  };
}

// The legend shows the newest numbers until somebody points at others.
function newestUnlessPointedAt(plot) {
  if (plot.cursor.idx === null || plot.cursor.idx === undefined) {
    plot.setLegend({ idx: plot.data[0].length - 1 }, false);
  }
}

// A single night is in the middle; the first and last of several keep off the edges.
function around(low, high) {
  const room = Math.max(DAY / 2, 0.04 * (high - low));
  return [low - room, high + room];
}

// Leave room below too, but not below zero if no value is there.
function withRoom(low, high, unit) {
  const span = high - low || Math.abs(high) / 10 || 1;
  const [least, most] = [low - 0.08 * span, high + 0.1 * span];
  if (unit === "share") return withinAll(least, most);
  return [low >= 0 && least < 0.04 * span ? 0 : least, most];
}

// A share stays between 0 and 1; if it hardly changes, the chart still shows the change.
function withinAll(least, most) {
  return [Math.max(0, Math.min(least, most - 0.05)), most > 1 ? 1.002 : most];
}

// Dates are under nights, always under the last; nights closer than this many seconds share one.
function someOf(times, seconds) {
  const kept = [];
  for (const time of times.toReversed()) {
    if (kept.length === 0 || kept[0] - time >= seconds) kept.unshift(time);
  }
  return kept;
}

function dayAndMonth(seconds) {
  return new Date(seconds * 1000).toLocaleDateString("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });
}

function whole(seconds) {
  return new Date(seconds * 1000).toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
}

// The row above the lines for each mark's name, so that names do not overlap. Changes of champion
// choose first, the newest of them before others. If all rows are taken, the mark is a line without
// a name.
export function laidOut(marks, [low, high], width, font) {
  const context = document.createElement("canvas").getContext("2d");
  context.font = font;
  const taken = [];
  const ranked = marks.toReversed().sort((one, other) => other.is_champion - one.is_champion);
  return ranked.map((one) => {
    const x = ((one.x - low) / (high - low)) * width;
    const needs = context.measureText(one.label).width + 8;
    const isLate = x + needs > width;
    const [from, to] = isLate ? [x - needs, x] : [x, x + needs];
    let row = 0;
    while (taken.some((other) => other.row === row && other.from < to && from < other.to)) row += 1;
    if (row >= ROWS) return { ...one, row: -1 };
    taken.push({ row, from, to });
    return { ...one, isLate, row };
  });
}

// What was done to the tenant: a line at its time, with its name above.
function mark(plot, marks, font) {
  const { ctx, bbox } = plot;
  const pixels = window.devicePixelRatio || 1;
  const top = (row) => bbox.top - ROW * (row + 1) * pixels;
  const placed = marks.map((one) => ({ ...one, at: Math.round(plot.valToPos(one.x, "x", true)) }));
  ctx.save();
  ctx.font = font.replace("12px", `${11 * pixels}px`);
  ctx.textAlign = "left";
  ctx.textBaseline = "top";
  ctx.lineWidth = pixels;
  ctx.setLineDash([3 * pixels, 3 * pixels]);
  for (const one of placed) {
    ctx.strokeStyle = colour(one.colour);
    ctx.beginPath();
    ctx.moveTo(one.at, top(one.row));
    ctx.lineTo(one.at, bbox.top + bbox.height);
    ctx.stroke();
  }
  for (const one of placed.filter(({ row }) => row >= 0)) {
    const width = ctx.measureText(one.label).width;
    const left = one.isLate ? one.at - width - 4 * pixels : one.at + 4 * pixels;
    // Keep other marks' lines out of the name.
    ctx.fillStyle = colour("raised");
    ctx.fillRect(left - pixels, top(one.row), width + 2 * pixels, (ROW - 1) * pixels);
    ctx.fillStyle = colour(one.colour);
    ctx.fillText(one.label, left, top(one.row) + 2 * pixels);
  }
  ctx.restore();
}
