// Everything the desk does by key: a name, the keys it has until somebody chooses others, and what it does in a few words.
export const ACTIONS = [
  { id: "accept", keys: ["a"], label: "Accept the mask" },
  { id: "reject", keys: ["x"], label: "Reject it" },
  { id: "edit", keys: ["e"], label: "Edit it" },
  { id: "skip", keys: [" "], label: "Skip it for now" },
  { id: "undo", keys: ["z"], label: "Undo, any number of times" },
  { id: "flag", keys: ["f"], label: "Flag the image, to come back to it" },
  { id: "next", keys: ["ArrowRight", "ArrowDown"], label: "Next, without deciding" },
  { id: "previous", keys: ["ArrowLeft", "ArrowUp"], label: "Previous" },
  ...Array.from({ length: 9 }, (_, i) => ({ id: `choose${i + 1}`, keys: [String(i + 1)], label: `Mask ${i + 1} of the same image` })),
  { id: "hide", keys: ["h"], label: "Hide the mask" },
  { id: "outline", keys: ["o"], label: "Outline only" },
  { id: "more", keys: ["+", "="], label: "More opacity of the mask" },
  { id: "less", keys: ["-"], label: "Less opacity of the mask" },
  { id: "reference", keys: ["r"], label: "The reference, the mask as an outline over it" },
  { id: "difference", keys: ["d"], label: "Where mask and reference disagree" },
  { id: "keys", keys: ["?"], label: "This map of keys" },
];

/** Held down, these go on; every other key acts once a press. */
export const REPEATING = new Set(["next", "previous", "more", "less"]);

const NAMES = { " ": "Space", ArrowRight: "→", ArrowLeft: "←", ArrowUp: "↑", ArrowDown: "↓", "-": "−" };

/** The one spelling of a key: letters small, whatever Shift or Caps Lock makes of them. */
export function keyOf(event) {
  return event.key.length === 1 ? event.key.toLowerCase() : event.key;
}

/** A key as it is printed on a button: Space, →, A. */
export function printed(key) {
  return NAMES[key] ?? (key.length === 1 ? key.toUpperCase() : key);
}
