// Charts by uPlot, from the numbers that the page brings; colours are those of the page's theme.

const READABLE = {
  percent: (value) => `${(100 * value).toFixed(Math.abs(value) < 0.1 ? 1 : 0)}%`,
  number: (value) => value.toLocaleString("en"),
  number3: (value) => value.toFixed(4),
};
const TICKS = { ...READABLE, percent: (value) => `${Math.round(1000 * value) / 10}%`, number3: (value) => value.toFixed(3) };
const DAY = 86400;

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
  const draw = () => {
    plot?.destroy();
    plot = new window.uPlot(options(place, data), [data.x, ...data.series.map((one) => one.values)], place);
  };
  draw();
  document.addEventListener("recfleet:theme", draw);
  new ResizeObserver(() => plot.setSize(size(place))).observe(place);
}

function size(place) {
  return { width: Math.max(200, place.clientWidth), height: 190 };
}

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

function options(place, data) {
  const readable = READABLE[data.unit];
  const line = colour("line");
  const font = `12px ${getComputedStyle(document.body).fontFamily}`;
  const axis = { stroke: colour("muted"), font, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 } };
  const [first, last] = [Math.min(...data.x), Math.max(...data.x)];
  return {
    ...size(place),
    tzDate: (seconds) => window.uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
    cursor: { drag: { x: false, y: false }, points: { size: 7 } },
    scales: {
      x: { range: () => around(first, last) },
      y: { range: (_, low, high) => (low === null ? [0, 1] : withRoom(low, high, data)) },
    },
    axes: [
      { ...axis, space: 80, incrs: [1, 2, 7, 14, 28, 56, 91, 182, 364].map((days) => days * DAY), values: (_, marks) => marks.map(dayAndMonth) },
      { ...axis, size: 58, values: (_, marks) => marks.map(TICKS[data.unit]) },
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
    hooks: { draw: [(plot) => mark(plot, data.marks, font)], setCursor: [newestUnlessPointedAt] },
  };
}

// The legend shows the newest numbers until somebody points at others.
function newestUnlessPointedAt(plot) {
  if (plot.cursor.idx === null || plot.cursor.idx === undefined) {
    plot.setLegend({ idx: plot.data[0].length - 1 }, false);
  }
}

// One night alone stands in the middle; the first and the last do not stand on the edge.
function around(low, high) {
  const room = Math.max(DAY / 2, 0.04 * (high - low));
  return [low - room, high + room];
}

// Room above for what is written there, and none below zero where nothing is.
function withRoom(low, high, data) {
  const span = high - low || Math.abs(high) / 10 || 1;
  const least = low - 0.08 * span;
  return [low >= 0 && least < 0.04 * span ? 0 : least, high + (data.marks.length > 0 ? 0.35 : 0.1) * span];
}

function dayAndMonth(seconds) {
  return new Date(seconds * 1000).toLocaleDateString("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });
}

function whole(seconds) {
  return new Date(seconds * 1000).toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
}

// What was done to the tenant: a line where it happened, with its name at the top.
function mark(plot, marks, font) {
  const { ctx, bbox } = plot;
  const pixels = window.devicePixelRatio || 1;
  ctx.save();
  ctx.font = font.replace("12px", `${11 * pixels}px`);
  ctx.textBaseline = "top";
  for (const [index, one] of marks.entries()) {
    const x = Math.round(plot.valToPos(one.x, "x", true));
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.strokeStyle = ctx.fillStyle = colour(one.colour);
    ctx.lineWidth = pixels;
    ctx.setLineDash([3 * pixels, 3 * pixels]);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    const isLate = x > bbox.left + 0.7 * bbox.width;
    ctx.textAlign = isLate ? "right" : "left";
    ctx.fillText(one.label, x + (isLate ? -4 : 4) * pixels, bbox.top + (3 + 13 * (index % 3)) * pixels);
  }
  ctx.restore();
}
