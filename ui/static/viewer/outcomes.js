// What is right and wrong about a mask, pixel by pixel, where the truth is known.
import { IGNORE } from "./colours.js";

// Okabe and Ito's colours: told apart with any colour vision, on dark and on light photographs.
const HIT = 1, MISSED = 2, FALSE_ALARM = 3, WRONG_CLASS = 4;
export const UNKNOWN = 255;

/** The outcomes that are coloured; code 0, rightly background, stays clear. */
export const OUTCOMES = [
  { code: HIT, name: "hit", colour: "#56b4e9", about: "Object in the truth, and named rightly: more is better" },
  { code: MISSED, name: "missed", colour: "#f0e442", about: "Object in the truth, but left to the background: less is better" },
  { code: FALSE_ALARM, name: "false alarm", colour: "#d55e00", about: "Background in the truth, but called an object: less is better" },
  { code: WRONG_CLASS, name: "wrong class", colour: "#cc79a7", about: "Object in the truth, but named as another class: less is better" },
];

const NAMES = new Map([[0, "rightly background"], ...OUTCOMES.map(({ code, name }) => [code, name]), [UNKNOWN, "truth unknown"]]);

/** What a code is called. */
export function outcomeName(code) {
  return NAMES.get(code) ?? "unknown";
}

/** The colour of a code, null where it stays clear. */
export function outcomeColour(code) {
  return OUTCOMES.find((each) => each.code === code)?.colour ?? null;
}

/** The codes of labels against the truth (uint8 both, as many pixels); ignored pixels count as background. */
export function outcomes(labels, truth) {
  const codes = new Uint8Array(labels.length);
  for (let i = 0; i < labels.length; i++) {
    const said = labels[i] === IGNORE ? 0 : labels[i];
    const is = truth[i];
    if (is === IGNORE) codes[i] = UNKNOWN;
    else if (is === 0) codes[i] = said === 0 ? 0 : FALSE_ALARM;
    else codes[i] = said === is ? HIT : said === 0 ? MISSED : WRONG_CLASS;
  }
  return codes;
}

/** The share of each outcome among the pixels whose truth is known, by its name. */
export function outcomeShares(codes) {
  const counts = new Uint32Array(256);
  for (const code of codes) counts[code]++;
  const known = Math.max(codes.length - counts[UNKNOWN], 1);
  return Object.fromEntries(OUTCOMES.map(({ code, name }) => [name, counts[code] / known]));
}
