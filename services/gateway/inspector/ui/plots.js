// Draws plots by plotly.js, which is loaded when the first one is needed. A plot is drawn when it comes into view.

const dark = matchMedia("(prefers-color-scheme: dark)");
const drawn = new Map();
let library;

/** Loads the library once; the page shows its text without waiting for it. */
export function load() {
  library ??= new Promise((resolve, reject) => {
    const script = Object.assign(document.createElement("script"), { src: new URL("plotly.min.js", import.meta.url) });
    script.onload = () => resolve(globalThis.Plotly);
    script.onerror = () => {
      library = undefined;
      reject(new Error("The plots could not be loaded."));
    };
    document.head.append(script);
  });
  return library;
}

/** The colours that plots share with the page. */
export function colours() {
  const style = getComputedStyle(document.documentElement);
  const read = (name) => style.getPropertyValue(name).trim();
  const stages = { mutation: read("--stage-mutation"), generation: read("--stage-generation"), reward: read("--stage-reward") };
  return {
    ink: read("--ink"), faint: read("--faint"), line: read("--line"), card: read("--card"), accent: read("--accent"),
    wrong: read("--wrong"), writers: Array.from({ length: 8 }, (_, i) => read(`--writer-${i}`)), stages, low: read("--low"), high: read("--high"),
  };
}

/**
 * Draws a plot in `element`. `figure(colours)` returns `{data, layout, label}`, where screen readers say `label`. The
 * returned `update` calls `figure` and draws again. The plot is removed when `signal` aborts.
 */
export function plot(element, figure, signal, onclick) {
  let visible = false;
  const redraw = () => visible && draw(element, figure, onclick);
  const watch = new IntersectionObserver(([entry]) => {
    if (!entry.isIntersecting) return;
    watch.disconnect();
    visible = true;
    redraw();
  }, { rootMargin: "100px" });
  watch.observe(element);
  drawn.set(element, redraw);
  signal.addEventListener("abort", () => {
    watch.disconnect();
    drawn.delete(element);
    if (element.data) globalThis.Plotly.purge(element);
  });
  return { update: redraw };
}

async function draw(element, figure, onclick) {
  try {
    const Plotly = await load();
    if (!drawn.has(element)) return;
    const theme = colours();
    const { data, layout, label } = figure(theme);
    const fresh = !element.data;
    await Plotly.react(element, data, { ...common(theme), ...layout, uirevision: "kept" }, { displayModeBar: false, responsive: true });
    element.setAttribute("role", "img");
    element.setAttribute("aria-label", label);
    element.dataset.drawn = "true";
    performance.mark("plot drawn");
    if (fresh && onclick) element.on("plotly_click", ({ points: [point] }) => onclick(point));
  } catch (error) {
    element.textContent = error.message;
  }
}

function common(theme) {
  return {
    font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: theme.ink },
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    margin: { l: 52, r: 12, t: 8, b: 40 },
    hoverlabel: { bgcolor: theme.card, bordercolor: theme.line, font: { color: theme.ink, size: 12 }, align: "left" },
    legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", font: { size: 12 } },
  };
}

/** An axis in the colours of the page. */
export function axis(theme, title, more = {}) {
  return { title: { text: title, font: { color: theme.faint, size: 12 } }, gridcolor: theme.line, linecolor: theme.line, zeroline: false, tickcolor: theme.line, ...more };
}

/** `text` for a label, cut to `most` characters, and without tags: plotly interprets a few, and the text may be hostile. */
export function plain(text, most = 90) {
  const cut = text.length > most ? `${text.slice(0, most)}…` : text;
  return cut.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

dark.addEventListener("change", () => drawn.forEach((redraw) => redraw()));
