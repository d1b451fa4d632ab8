// From values to colours: colour maps for heat, palettes for zones and labels.

// Seventeen evenly spaced colours of each map; between them straight lines (at most 7 of 255 off).
const POINTS = {
  viridis: "44015448186a472d7b4240863b528b33638d2c728e26828e21918c1f9f8827ad813dbc745cc86381d34daadc32d5e21afde725",
  magma: "0000040a08221d114736106b51127c6a1c818326819c2e7fb73779cf4070e55064f4695cfb8761fea571fec287fde0a1fcfdbf",
  turbo: "30123b4040a2466be34294ff28bceb18ddc232f2986dfe62a4fc3ccbed34ecd13afdae35fb8122ec530fd23105ac17017a0403",
  grey: "000000ffffff",
};

/** Names of the colour maps, the first being the one to begin with. */
export const COLOUR_MAPS = Object.keys(POINTS);

export const IGNORE = 255;

/** A colour as the browser's little-endian pixel, alpha 0..255. */
function packed(red, green, blue, alpha = 255) {
  return ((alpha << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}

function hex(colour) {
  const value = parseInt(colour.slice(1), 16);
  return [value >> 16, (value >> 8) & 255, value & 255];
}

const tables = new Map();

/** 256 packed colours of a colour map. */
export function table(name) {
  if (!tables.has(name)) {
    const points = POINTS[name].match(/.{6}/g).map((colour) => hex(`#${colour}`));
    const colours = new Uint32Array(256);
    for (let i = 0; i < 256; i++) {
      const at = (i / 255) * (points.length - 1);
      const low = Math.min(Math.floor(at), points.length - 2);
      const share = at - low;
      colours[i] = packed(...[0, 1, 2].map((c) => Math.round(points[low][c] * (1 - share) + points[low + 1][c] * share)));
    }
    tables.set(name, colours);
  }
  return tables.get(name);
}

/** A CSS gradient of a colour map, for legends. */
export function gradient(name) {
  return `linear-gradient(90deg, ${POINTS[name].match(/.{6}/g).map((colour) => `#${colour}`).join(", ")})`;
}

/** The zones: value, name, what it means, and the token of its colour. */
export const ZONES = [
  { value: 0, name: "attention", token: "--tm-zone-attention", title: "The network looks here: at least the high threshold of the map's maximum" },
  { value: 1, name: "potential", token: "--tm-zone-potential", title: "Between the two thresholds: the rest of the object may be here" },
  { value: -1, name: "background", token: "--tm-zone-background", title: "Under the low threshold of the map's maximum: no sign of a tag" },
];

/** Pixels (Uint32Array) of heat, uint8. */
export function paintHeat(values, into, colourMap) {
  const colours = table(colourMap);
  for (let i = 0; i < values.length; i++) into[i] = colours[values[i]];
}

/** Pixels of zones, int8 in {-1, 0, 1}; colours come from the page's tokens. */
export function paintZones(values, into) {
  const style = getComputedStyle(document.body);
  const colours = new Uint32Array(3);
  for (const zone of ZONES) colours[zone.value + 1] = packed(...hex(style.getPropertyValue(zone.token).trim()));
  for (let i = 0; i < values.length; i++) into[i] = colours[values[i] + 1];
}

/** Pixels of labels, uint8: `colourOf` maps a class id to #rrggbb, or null where it is hidden. Ignored pixels stay clear. */
export function paintLabels(values, into, colourOf) {
  paintCodes(values, into, (id) => (id === 0 || id === IGNORE ? null : colourOf(id)));
}

/** Pixels of a reference mask: its object clear, the rest dimmed. */
export function paintReference(values, into) {
  const dim = packed(9, 14, 13, 215);
  for (let i = 0; i < values.length; i++) into[i] = values[i] > 127 ? 0 : dim;
}

/** Pixels by a table of colours for each value: `colourOf(value)` is #rrggbb, or null where it stays clear. */
export function paintCodes(values, into, colourOf, dim = 0) {
  const colours = new Uint32Array(256).fill(packed(9, 14, 13, dim));
  for (let code = 0; code < 256; code++) {
    const colour = colourOf(code);
    if (colour) colours[code] = packed(...hex(colour));
  }
  for (let i = 0; i < values.length; i++) into[i] = colours[values[i]];
}

/** The two sides of a comparison: orange is A, violet is B (told apart with any colour vision). */
export const SIDE_COLOURS = { A: "#f28e2b", B: "#7b5cd6" };

/** A CSS gradient from B over nothing to A. */
export const DIFFERENCE_GRADIENT = `linear-gradient(90deg, ${SIDE_COLOURS.B}, transparent, ${SIDE_COLOURS.A})`;

/** Pixels of a difference, int16 in -255..255: clear where both agree, the colour of the stronger side where not. */
export function paintDifference(values, into) {
  const sides = [hex(SIDE_COLOURS.B), hex(SIDE_COLOURS.A)];
  const colours = Uint32Array.from({ length: 511 }, (_, at) => {
    const by = at - 255;
    // A tenth of the range is already seen, half of it is as strong as it gets.
    return packed(...sides[by > 0 ? 1 : 0], Math.min(Math.round(Math.abs(by) * 2), 255));
  });
  for (let i = 0; i < values.length; i++) into[i] = colours[values[i] + 255];
}

/** Borders between unlike values as a Path2D in map pixels, a border of hidden classes left out. */
export function outline(values, width, height, counts = () => true) {
  const path = new Path2D();
  for (let y = 0; y < height; y++) {
    let begun = -1;
    for (let x = 0; x <= width; x++) {
      const at = y * width + x;
      const edge = x < width && y > 0 && values[at] !== values[at - width] && (counts(values[at]) || counts(values[at - width]));
      if (edge && begun < 0) begun = x;
      if (!edge && begun >= 0) { path.moveTo(begun, y); path.lineTo(x, y); begun = -1; }
    }
  }
  for (let x = 1; x < width; x++) {
    let begun = -1;
    for (let y = 0; y <= height; y++) {
      const at = y * width + x;
      const edge = y < height && values[at] !== values[at - 1] && (counts(values[at]) || counts(values[at - 1]));
      if (edge && begun < 0) begun = y;
      if (!edge && begun >= 0) { path.moveTo(x, begun); path.lineTo(x, y); begun = -1; }
    }
  }
  return path;
}
