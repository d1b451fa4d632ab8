// How the Train tab says times, states and numbers.
import { el, formatNumber } from "../ui.js";

const STATES = {
  queued: ["queued", "", "Waits for the supervisor to start it"],
  running: ["running", "info", "The trainer is at work"],
  stopping: ["stopping", "warn", "Asked to stop: it finishes its step, saves, then ends"],
  done: ["done", "good", "Finished; what it made is in the workspace"],
  failed: ["failed", "bad", "Ended with an error; the reason stands beside it"],
  cancelled: ["cancelled", "", "Stopped by a person"],
  lost: ["lost", "bad", "Its process died without a last word"],
};

export const ACTIVE = ["queued", "running", "stopping"];
export const RESUMABLE = ["lost", "failed", "cancelled"];

/** The coloured chip of a job's state. */
export function chip(state) {
  const [word, kind, title] = STATES[state] ?? [state, "", ""];
  return el("span", { class: `tm-badge tr-state ${kind}`, title, dataset: { state } }, word);
}

/** 5 -> "5 s", 125 -> "2 min 5 s", 7300 -> "2 h 2 min"; nothing known -> "–". */
export function duration(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return "–";
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 10) return `${minutes} min ${whole % 60} s`;
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** Seconds since 1970 as "14:03" today, "Mon 14:03" this week, else "21 Nov 14:03". */
export function moment(seconds) {
  if (!seconds) return "–";
  const date = new Date(seconds * 1000);
  const clock = date.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
  const age = (Date.now() - date) / 86400000;
  if (date.toDateString() === new Date().toDateString()) return clock;
  if (age < 6) return `${date.toLocaleDateString("en-GB", { weekday: "short" })} ${clock}`;
  return `${date.toLocaleDateString("en-GB", { day: "numeric", month: "short" })} ${clock}`;
}

/** A date in full, for titles. */
export function inFull(seconds) {
  return seconds ? new Date(seconds * 1000).toLocaleString("en-GB") : "";
}

/** A loss, rate or accuracy with as many digits as say something: 0.4123, 12.3, 3.0e-5. */
export function figure(value) {
  if (value === null || value === undefined || !Number.isFinite(Number(value))) return "–";
  const number = Number(value);
  const size = Math.abs(number);
  if (size === 0) return "0";
  if (size < 0.001 || size >= 1e6) return number.toExponential(1);
  if (Number.isInteger(number)) return formatNumber(number);
  return formatNumber(number, size < 1 ? 4 : size < 10 ? 3 : size < 100 ? 2 : 1);
}

// Options that people know better by other words than by the trainer's name.
const OPTIONS = {
  acol: "ACoL threshold", any_code: "Keep what other code made", background_part: "Background cues, part of the image", beta: "Power of affinities", alpha: "Power of the background",
  cache_mb: "Image cache, MiB", checkpoint_every: "Checkpoint every, seconds", clip: "Gradient norm limit", crf: "CRF", crop_least: "Smallest crop", crop_most: "Largest crop",
  classification_loss: "Classification loss (l_c)", segmentation_loss: "Segmentation loss (l_s)", decay_at: "Rate decays at, part of the run", fcan_epochs: "FCAN epochs", fcan_layers: "FCAN layers", fcan_steps: "FCAN steps",
  from_: "Learn from", frozen_norm: "Frozen batch normalisation", head_start: "Start of new layers", held_out: "Held-out part", history: "Images with every pass kept", jitter: "Colour jitter", keep_ignored: "Keep ignored behind the CRF",
  labels: "Write label maps", learning_rate: "Learning rate", leave_out: "Classes left out", look: "Image size of the walk", new_rate: "New layers' rate, times", outside: "Background of branch C",
  part: "Part of the images", per: "Loss averages over", rates: "Dilations of the head", seed_crf: "CRF of the seeds", set_: "Options of one stage", size: "Sample size", spread: "Dilation factor", steps: "Steps (0: by epochs)", stride: "Stride of the maps",
  sure_background: "Sure background under", sure_object: "Sure object above",
  attention_channels: "Attention channels", branch_sum: "Sum of branches", by: "Score", erase_above: "Erase above", keep: "Keep (0: by tau)", lambda_: "lambda, of attention", objectness_weight: "Weight of objectness (b)", per_class: "Each tag by itself",
  policy: "Policy", reference_threshold: "Reference threshold", scorer: "Mask scorer", begin_with: "Begin with", retrain_part: "Part of the steps then", scores: "Scores", tau: "tau (−1: the paper's)",
  walk_alpha: "Walk: power of the background", walk_beta: "Walk: power of affinities", walk_steps: "Walk: steps", affinity: "Walk: affinity weights", warmup: "Warm-up steps", warmup_passes: "Warm-up passes", watch_every: "Look every, steps", watch_images: "Images looked at", workers: "Reading processes",
};

// Measures whose names hold words of the field.
const MEASURES = {
  AC: "Boundary accuracy (AC)", CD: "Class distribution (CD)", SC: "Coarse score (SC)", P: "Predicted accuracy (P)", SF: "Fine score (SF)",
  total: "Loss", tau: "tau", masks: "Masks learnt from", crf: "CRF", images_per_second: "Images/s", tag_accuracy: "Tag accuracy", validation_accuracy: "Validation accuracy", miou: "mIoU", labels_miou: "Labels' mIoU", label_miou: "Labels' mIoU", map_miou: "Map mIoU", validation_miou: "Validation mIoU", training_miou: "mIoU on training images",
  validation_max_f: "Validation max F", validation_s: "Validation S", mae: "MAE", max_f: "Max F", max_f_at: "Max F at", s_measure: "S-measure", cues_miou: "Cues' mIoU", cues_1_miou: "Adapted cues' mIoU", cues_2_miou: "Twice adapted cues' mIoU",
  miou_round_0: "mIoU before adapting", miou_round_1: "mIoU once adapted", miou_round_2: "mIoU twice adapted", attention_miou: "Attention mIoU", attention_threshold: "Attention threshold", cam_miou: "CAM mIoU", cam_threshold: "CAM threshold",
};

/** What an option is called in the form. */
export function optionLabel(name) {
  return OPTIONS[name] ?? label(name);
}

/** A sentence of the trainer in the form's words: a --flag by its field's name, a command by its recipe's title. */
export function inForm(sentence, { options }, recipes) {
  const field = (name) => `“${optionLabel(name).replace(/ \(.*\)$/, "")}”`;
  const named = (flag) => options.find((option) => option.flag === flag)?.name;
  return sentence
    .replaceAll(/`python -m training (\w+)[^`]*`/g, (typed, recipe) => (recipes[recipe] ? `the recipe “${recipes[recipe].title}”` : typed))
    .replaceAll(/--[a-z][a-z0-9-]*/g, (flag) => {
      if (flag === "--data") return "“Train on”";
      const off = named(flag.replace("--no-", "--"));
      return named(flag) ? field(named(flag)) : off ? `${field(off)} unticked` : flag;
    });
}

/** "learning_rate" -> "Learning rate"; names of measures that are words of the field stay so. */
export function label(name) {
  if (MEASURES[name]) return MEASURES[name];
  const text = name.replaceAll("_", " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}
