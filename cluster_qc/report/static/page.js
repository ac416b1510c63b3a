/* Draws what the page holds in #page-data; without it the page still has every number in its tables. */
(() => {
  "use strict";
  document.documentElement.classList.add("scripts");
  const data = JSON.parse(document.getElementById("page-data").textContent);
  const byId = (id) => document.getElementById(id);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const HC = 1239.841984; // eV nm
  const MINUS = "\u2212";
  const fixed = (value, digits, sign = false) =>
    (sign && value > 0 ? "+" : "") + value.toFixed(digits).replace("-", MINUS);
  const safe = (text) => String(text).replace(/[<>&]/g, (c) => ({ "<": "&lt;", ">": "&gt;", "&": "&amp;" })[c]);
  // After Okabe and Ito, told apart by line style too.
  const LIGHT = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b07800", "#56b4e9"];
  const DARK = ["#56b4e9", "#f0965a", "#2fbf94", "#e29bc4", "#e6c05a", "#8fa8ff"];
  const isDark = () => dark.matches && !document.documentElement.classList.contains("printing");
  const tint = (index) => (isDark() ? DARK : LIGHT)[index % 6];
  const DASHES = ["solid", "dash", "dot", "dashdot", "longdash", "longdashdot"];

  /* --- tables ------------------------------------------------------------------------------------------- */

  function sortable(table) {
    const heads = [...table.tHead.rows[0].cells];
    const body = table.tBodies[0];
    const value = (row, column) => {
      const text = row.cells[column].dataset.v;
      return text === "" ? null : Number.isNaN(Number(text)) ? text : Number(text);
    };
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        const up = head.getAttribute("aria-sort") !== "ascending";
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        const rows = [...body.rows].sort((first, second) => {
          const [a, b] = [value(first, column), value(second, column)];
          if (a === null || b === null) return (a === null) - (b === null); // what is absent stays below
          return (a < b ? -1 : a > b ? 1 : 0) * (up ? 1 : -1);
        });
        body.append(...rows);
      });
    });
  }

  /* --- charts ------------------------------------------------------------------------------------------- */

  const TITLES = {
    cd: ["\u0394\u03b5 / L mol\u207b\u00b9 cm\u207b\u00b9", "R / 10\u207b\u2074\u2070 esu\u00b2 cm\u00b2"],
    absorption: ["\u03b5 / L mol\u207b\u00b9 cm\u207b\u00b9", "oscillator strength f"],
  };
  let axis = "nm";
  const abscissa = (ev) => (axis === "nm" ? HC / ev : ev);

  function layout(more) {
    const lines = { gridcolor: colour("line"), zerolinecolor: colour("soft"), linecolor: colour("line") };
    const { xaxis, yaxis, yaxis2, ...rest } = more;
    return {
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: colour("ink") },
      margin: { l: 58, r: 16, t: 34, b: 46 },
      dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom",
      hoverlabel: { bgcolor: colour("card"), bordercolor: colour("soft"), font: { color: colour("ink") } },
      legend: { orientation: "h", x: 0, y: 1.02, xanchor: "left", yanchor: "bottom" },
      xaxis: { ...lines, ...xaxis },
      yaxis: { ...lines, automargin: true, ...yaxis },
      ...(yaxis2 ? { yaxis2: { ...lines, showgrid: false, tickmode: "auto", automargin: true, ...yaxis2 } } : {}),
      ...rest,
    };
  }

  function draw(element, traces, format) {
    const settings = { responsive: true, displaylogo: false, displayModeBar: false };
    return Plotly.react(element, traces, layout(format), settings);
  }

  /** Limits of both vertical axes, so that their zeros stand at the same height, with a share of them as room at the ends. */
  function limits(curve, sticks, share, least) {
    const scale = (values) => Math.max(least, ...values.map(Math.abs));
    const scales = [scale(curve), scale(sticks)];
    if (scales[0] === least) return scales.map((s) => [-s, s]);
    const low = Math.min(0, ...curve.map((v) => v / scales[0]), ...sticks.map((v) => v / scales[1]));
    const high = Math.max(0, ...curve.map((v) => v / scales[0]), ...sticks.map((v) => v / scales[1]));
    const room = share * (high - low);
    return scales.map((s) => [(low < 0 ? low - room : 0) * s, (high > 0 ? high + room : 0) * s]);
  }

  /** Energies that the curves reach, without their flat tails; one range for all charts. */
  function reach() {
    const curves = data.spectra.flatMap((spectrum) => spectrum.curves);
    const ends = curves.flatMap((curve) => curve.ev);
    const high = curves.flatMap((curve) => {
      const least = 2e-3 * Math.max(...curve.value.map(Math.abs));
      return curve.ev.filter((_, i) => Math.abs(curve.value[i]) > least);
    });
    return ends.length ? [Math.min(...(high.length ? high : ends)) - 0.1, Math.max(...ends) + 0.03] : [1, 6];
  }

  /** The bands whose labels do not meet on the chart, the stronger one of two. */
  function apart(bands, across, left, element) {
    const [width, height] = [element.clientWidth - 116, element.clientHeight - 86];
    const place = (band) => [
      (abscissa(HC / band.wavelength_nm) / (across[1] - across[0])) * width,
      (band.delta_epsilon_lmolcm / (left[1] - left[0])) * height,
    ];
    const kept = [];
    for (const band of [...bands].sort((a, b) => Math.abs(b.delta_epsilon_lmolcm) - Math.abs(a.delta_epsilon_lmolcm))) {
      const [x, y] = place(band);
      const meets = kept.some((other) => Math.abs(place(other)[0] - x) < 46 && Math.abs(place(other)[1] - y) < 30);
      if (!meets) kept.push(band);
    }
    return kept;
  }

  function drawSpectrum(spectrum) {
    const element = byId(`chart-${spectrum.name}`);
    const [title, stickTitle] = TITLES[spectrum.name];
    const digits = spectrum.name === "cd" ? 1 : 0;
    const symbol = title.split(" ")[0];
    const traces = spectrum.curves.map((curve, index) => ({
      name: safe(curve.label),
      x: curve.ev.map(abscissa),
      y: curve.value,
      mode: "lines",
      line: { color: tint(index), dash: DASHES[index % 6], width: 2 },
      hovertemplate: curve.ev.map(
        (ev, i) =>
          `${safe(curve.label)}: ${symbol} ${fixed(curve.value[i], digits, digits > 0)} at ${(HC / ev).toFixed(1)} nm, ` +
          `${ev.toFixed(3)} eV<extra></extra>`,
      ),
    }));
    const all = spectrum.curves.flatMap((curve) => curve.value);
    const range = reach();
    const sticks = spectrum.sticks.filter((s) => s.ev >= range[0] && s.ev <= range[1] + 0.2);
    const [left, right] = limits(all, sticks.map((s) => s.strength), spectrum.measured.length ? 0.2 : 0.1,
      spectrum.name === "cd" ? 0.01 : 1e-12); // less than that is the rounding error of an achiral molecule
    if (sticks.length) {
      const grey = colour("soft");
      traces.push({
        name: spectrum.name === "cd" ? "R" : "f",
        legendgroup: "sticks",
        x: sticks.flatMap((s) => [abscissa(s.ev), abscissa(s.ev), null]),
        y: sticks.flatMap((s) => [0, s.strength, null]),
        yaxis: "y2", mode: "lines", line: { color: grey, width: 1.2 }, hoverinfo: "skip",
      });
      traces.push({
        legendgroup: "sticks", showlegend: false, x: sticks.map((s) => abscissa(s.ev)), y: sticks.map((s) => s.strength),
        yaxis: "y2", mode: "markers", marker: { color: grey, size: 4 },
        hovertemplate: sticks.map((s) => {
          const strength =
            spectrum.name === "cd" ? `R ${fixed(s.strength, 2, true)}` : `f ${fixed(s.strength, 4)}`;
          return `${safe(s.label)}: ${strength}, ${s.ev.toFixed(3)} eV, ${(HC / s.ev).toFixed(1)} nm<extra></extra>`;
        }),
      });
    }
    if (spectrum.measured.length) {
      traces.push({
        name: "measured sign",
        x: spectrum.measured.map((b) => abscissa(HC / b.wavelength_nm)),
        y: spectrum.measured.map((b) => left[b.sign > 0 ? 1 : 0] * 0.97 + left[b.sign > 0 ? 0 : 1] * 0.03),
        mode: "markers",
        marker: {
          color: colour("electron"), size: 11, line: { width: 1, color: colour("ink") },
          symbol: spectrum.measured.map((b) => (b.sign > 0 ? "triangle-up" : "triangle-down")),
        },
        hovertemplate: spectrum.measured.map(
          (b) => `measured ${fixed(b.wavelength_nm, 0)} nm, ${b.sign > 0 ? "positive" : "negative"}<extra></extra>`,
        ),
      });
    }
    const across = range.map(abscissa).sort((a, b) => a - b);
    const edge = 26 / (element.clientWidth - 116); // half a label
    const annotations = apart(spectrum.bands, across, left, element).map((band) => ({
      x: abscissa(HC / band.wavelength_nm), y: band.delta_epsilon_lmolcm, text: `${band.wavelength_nm.toFixed(0)} nm`,
      xanchor: (abscissa(HC / band.wavelength_nm) - across[0]) / (across[1] - across[0]) < edge ? "left" : "center",
      showarrow: false, yshift: band.delta_epsilon_lmolcm > 0 ? 11 : -11, font: { size: 11 }, bgcolor: colour("paper"), borderpad: 0,
    }));
    draw(element, traces, {
      hovermode: "x",
      annotations,
      margin: { l: 58, r: sticks.length ? 58 : 16, t: 40, b: 46 },
      xaxis: {
        title: { text: axis === "nm" ? "wavelength / nm" : "energy / eV" }, range: across,
        zeroline: false, hoverformat: axis === "nm" ? ".0f" : ".2f",
      },
      yaxis: { title: { text: title }, range: left },
      yaxis2: sticks.length
        ? { title: { text: stickTitle, standoff: 8 }, range: right, overlaying: "y", side: "right", zeroline: false }
        : undefined,
    });
  }

  /** A label in lines of at most `width` characters, broken after _, - or a space where there is one. */
  function wrapped(label, width) {
    const lines = [""];
    for (const word of label.match(/[^_\s-]*[_\s-]?/g).flatMap((w) => w.match(new RegExp(`.{1,${width}}`, "g")) || [])) {
      if (lines.at(-1).length + word.length > width) lines.push("");
      lines[lines.length - 1] += word;
    }
    return lines.filter((line) => line).map(safe).join("<br>");
  }

  function drawLevels(columns) {
    const element = byId("chart-levels");
    const room = Math.floor((element.clientWidth - 70) / columns.length / 7); // characters of a column
    const traces = [];
    const shapes = [];
    const annotations = [];
    columns.forEach((column, place) => {
      const measured = column.tolerance !== undefined;
      const tone = measured ? colour("electron") : colour("hole");
      const span = [place - 0.32, place + 0.32];
      const line = (ev, text, tint, width) =>
        traces.push({
          x: [span[0], place, span[1]], y: [ev, ev, ev], mode: "lines", line: { color: tint, width }, showlegend: false,
          hovertemplate: `${text}<extra></extra>`,
        });
      if (measured && column.tolerance !== null) {
        const homo = column.named.HOMO;
        shapes.push({
          type: "rect", x0: span[0], x1: span[1], y0: homo - column.tolerance, y1: homo + column.tolerance,
          fillcolor: tone, opacity: 0.18, line: { width: 0 },
        });
      }
      column.others
        .filter((ev) => !Object.values(column.named).some((named) => Math.abs(named - ev) < 1e-6))
        .forEach((ev) => line(ev, `${fixed(ev, 3)} eV`, colour("soft"), 1));
      for (const [name, ev] of Object.entries(column.named)) {
        line(ev, `${safe(column.label)}: ${name} ${fixed(ev, 3)} eV`, tone, 3);
        annotations.push({
          x: place, y: ev, text: room < 11 ? fixed(ev, 2) : `${name} ${fixed(ev, 2)}`, showarrow: false, font: { color: tone, size: 12 },
          yshift: (name === "HOMO" ? 1 : -1) * (measured ? -12 : 11),
        });
      }
    });
    draw(element, traces, {
      shapes,
      annotations,
      hovermode: "closest",
      margin: { l: 58, r: 10, t: 12, b: 34 },
      xaxis: {
        tickvals: columns.map((_, i) => i), ticktext: columns.map((c) => wrapped(c.label, Math.max(4, room))), range: [-0.5, columns.length - 0.5],
        showgrid: false, zeroline: false, fixedrange: true, tickangle: 0, automargin: true,
      },
      yaxis: { title: { text: "energy against vacuum / eV" }, zeroline: false },
    });
  }

  function drawConvergence(part) {
    const traces = part.series.map((series, index) => ({
      name: safe(series.label), x: series.values.map((_, i) => i + 1), y: series.values, mode: "lines+markers",
      line: { color: tint(index), dash: DASHES[index % 6], width: 1.5 },
      marker: { color: tint(index), size: 7, symbol: series.values.map((_, i) => (series.open?.[i] ? "circle-open" : "circle")) },
      hovertemplate: series.hover.map((text) => `${safe(text)}<extra></extra>`),
    }));
    const edge = (first) => ({
      type: "line", yref: "paper", x0: first - 0.5, x1: first - 0.5, y0: 0, y1: 1, line: { color: colour("soft"), width: 1, dash: "dot" },
    });
    draw(byId(`chart-${part.name}`), traces, {
      hovermode: "closest",
      shapes: part.stages.slice(1).map((stage) => edge(stage.first)),
      annotations: part.stages.map((stage) => ({
        x: stage.first - 0.4, y: 1, yref: "paper", text: safe(stage.label), textangle: -30, showarrow: false, font: { size: 11 },
        xanchor: "left", yanchor: "bottom",
      })),
      margin: { l: 64, r: 34, t: 48, b: 70 },
      legend: { orientation: "h", x: 0, y: -0.2, xanchor: "left", yanchor: "top" },
      xaxis: {
        title: { text: part.titles[0] }, zeroline: false, tickformat: "d",
        range: [0.3, Math.max(...part.series.map((series) => series.values.length)) + 0.7],
      },
      yaxis: { title: { text: part.titles[1] }, type: "log", exponentformat: "power", dtick: 1 },
    });
  }

  function drawCharts() {
    data.spectra.forEach(drawSpectrum);
    if (data.levels.length) drawLevels(data.levels);
    data.convergence?.forEach(drawConvergence);
  }

  /* --- molecule ----------------------------------------------------------------------------------------- */

  function unpack(mesh) {
    const words = (text) => {
      const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
      const view = new DataView(bytes.buffer);
      return Array.from({ length: bytes.length / 2 }, (_, i) => view.getUint16(2 * i, true));
    };
    const steps = words(mesh.vertices);
    const at = (i, k) => mesh.origin[k] + mesh.step * steps[3 * i + k];
    const vertexArr = Array.from({ length: steps.length / 3 }, (_, i) => ({ x: at(i, 0), y: at(i, 1), z: at(i, 2) }));
    return { vertexArr, normalArr: [], faceArr: words(mesh.triangles) };
  }

  function viewer(molecule) {
    const place = byId("viewer");
    const scene = $3Dmol.createViewer(place, { backgroundColor: colour("stage"), disableFog: true, antialias: true, minimumZoomToDistance: 3 });
    const model = scene.addModel();
    const { symbols, positions, bonds, contacts } = molecule;
    const partners = symbols.map(() => []);
    bonds.forEach(([i, j]) => {
      partners[i].push(j);
      partners[j].push(i);
    });
    model.addAtoms(
      symbols.map((elem, i) => ({
        elem, x: positions[i][0], y: positions[i][1], z: positions[i][2], serial: i, bonds: partners[i],
        bondOrder: partners[i].map(() => 1),
      })),
    );
    for (const [elem, radius] of Object.entries(molecule.radii)) {
      model.setStyle({ elem }, {
        sphere: { radius, color: molecule.colours[elem] }, stick: { radius: 0.085, color: colour("bond") },
      });
    }
    const point = (i) => ({ x: positions[i][0], y: positions[i][1], z: positions[i][2] });
    contacts.forEach(([i, j]) =>
      scene.addCylinder({
        start: point(i), end: point(j), radius: 0.06, dashed: true, dashLength: 0.14, gapLength: 0.12,
        color: colour("bond"), fromCap: 1, toCap: 1,
      }),
    );
    let label = null;
    const name = (atom) => {
      if (label) scene.removeLabel(label);
      label = scene.addLabel(`${atom.elem}${atom.serial + 1}`, {
        position: atom, fontSize: 13, fontColor: "white", backgroundColor: "#1b1f24", backgroundOpacity: 0.85,
      });
      scene.render();
    };
    const forget = () => {
      if (label) scene.removeLabel(label);
      label = null;
      scene.render();
    };
    scene.setHoverable({}, true, name, forget);
    scene.setClickable({}, true, name);
    scene.setHoverDuration(50);
    scene.zoomTo();
    const view = scene.getView();
    view.splice(4, 4, ...molecule.view);
    scene.setView(view);
    scene.zoom(0.95 * Math.min(1, place.clientWidth / place.clientHeight));
    const home = scene.getView();
    scene.render();

    const shown = [];
    const show = (orbital) => {
      shown.splice(0).forEach((shape) => scene.removeShape(shape));
      const phases = orbital ? data.surfaces[orbital].phases : [];
      phases.forEach((mesh, sign) => {
        if (mesh.triangles) {
          shown.push(scene.addCustom({ ...unpack(mesh), color: molecule.phases[sign], alpha: 0.72 }));
        }
      });
      place.dataset.orbital = orbital;
      scene.render();
    };
    const caption = byId("viewer-caption");
    const still = caption.textContent;
    const buttons = document.querySelectorAll("button[data-orbital]");
    buttons.forEach((button) =>
      button.addEventListener("click", () => {
        buttons.forEach((other) => other.setAttribute("aria-pressed", String(other === button)));
        const orbital = button.dataset.orbital;
        show(orbital);
        caption.textContent = orbital
          ? `${button.dataset.caption}. The surfaces enclose ${Math.round(100 * data.surfaces[orbital].share)} % of the ` +
            "density; blue positive, red negative."
          : still;
      }),
    );
    place.addEventListener("keydown", (event) => {
      const turns = { ArrowLeft: [-10, "y"], ArrowRight: [10, "y"], ArrowUp: [-10, "x"], ArrowDown: [10, "x"] };
      if (turns[event.key]) scene.rotate(...turns[event.key]);
      else if (event.key === "+" || event.key === "=") scene.zoom(1.15);
      else if (event.key === "-") scene.zoom(1 / 1.15);
      else if (event.key === "Home") scene.setView(home);
      else return;
      event.preventDefault();
    });
    byId("viewer-reset").addEventListener("click", () => scene.setView(home));
    // The wheel scrolls the page until the viewer has been clicked.
    place.addEventListener("pointerdown", () => place.focus({ preventScroll: true }), true);
    const pass = (event) => {
      if (document.activeElement !== place) event.stopPropagation();
    };
    place.addEventListener("wheel", pass, { capture: true, passive: true });
    new ResizeObserver(() => scene.resize()).observe(place);
    return () => {
      scene.setBackgroundColor(colour("stage"));
      scene.render();
    };
  }

  /** 3Dmol.js itself goes on without WebGL and draws nothing. */
  function hasWebGL() {
    const canvas = document.createElement("canvas");
    return Boolean(canvas.getContext("webgl2") || canvas.getContext("webgl"));
  }

  function noViewer() {
    byId("viewer").remove();
    document.querySelectorAll("button[data-orbital]").forEach((button) => button.remove());
    byId("viewer-reset").remove();
    const stills = byId("stills");
    if (stills) stills.open = true;
    byId("viewer-caption").textContent =
      "This browser shows no three-dimensional graphics (WebGL)" + (stills ? ": pictures below." : ".");
  }

  document.querySelectorAll("table[data-sortable]").forEach(sortable);
  drawCharts();
  document.querySelectorAll("button[data-axis]").forEach((button) =>
    button.addEventListener("click", () => {
      axis = button.dataset.axis;
      document.querySelectorAll("button[data-axis]").forEach((other) =>
        other.setAttribute("aria-pressed", String(other === button)),
      );
      data.spectra.forEach(drawSpectrum);
    }),
  );
  let repaint = () => {};
  if (data.molecule) {
    if (hasWebGL()) repaint = viewer(data.molecule);
    else noViewer();
  }
  const redraw = () => {
    drawCharts();
    repaint();
  };
  dark.addEventListener("change", redraw);
  // Paper is white.
  ["beforeprint", "afterprint"].forEach((event) =>
    addEventListener(event, () => {
      document.documentElement.classList.toggle("printing", event === "beforeprint");
      if (dark.matches) redraw();
    }),
  );
})();
