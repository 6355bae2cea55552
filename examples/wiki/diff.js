/** Differences between two texts, line by line and word by word. */

/**
 * @typedef {"same" | "removed" | "added"} Kind
 * @typedef {{ kind: Kind, parts: { text: string, changed: boolean }[] }} Line
 */

/** Beyond so many cells a comparison is not worth its time: all old goes, all new comes. */
const MAX_LINE_CELLS = 1_000_000;
const MAX_WORD_CELLS = 40_000;

/**
 * The lines of both texts in order; where a removed line meets an added one, the words that differ are marked.
 *
 * @param {string} before
 * @param {string} after
 * @returns {Line[]}
 */
export function diffLines(before, after) {
  const steps = compare(before.split("\n"), after.split("\n"), MAX_LINE_CELLS);
  /** @type {Line[]} */
  const lines = [];
  for (let i = 0; i < steps.length;) {
    const { kind, item } = steps[i];
    if (kind === "same") {
      lines.push({ kind, parts: [{ text: item, changed: false }] });
      i += 1;
      continue;
    }
    const removed = run(steps, i, "removed");
    const added = run(steps, i + removed.length, "added");
    const pairs = removed.map((line, n) => (n < added.length ? diffWords(line, added[n]) : whole(line)));
    const answers = added.map((line, n) => (n < removed.length ? pairs[n].after : whole(line).after));
    for (const pair of pairs) lines.push({ kind: "removed", parts: pair.before });
    for (const parts of answers) lines.push({ kind: "added", parts });
    i += removed.length + added.length;
  }
  return lines;
}

/** @param {string} before  @param {string} after */
function diffWords(before, after) {
  const steps = compare(before.split(/(?<=\s)|\b/), after.split(/(?<=\s)|\b/), MAX_WORD_CELLS);
  const common = steps.reduce((sum, { kind, item }) => (kind === "same" ? sum + item.length : sum), 0);
  // Lines with little in common are easier to read whole.
  if (common * 3 < Math.max(before.length, after.length))
    return { before: whole(before).before, after: whole(after).after };
  /** @param {Kind} own */
  const side = (own) =>
    steps
      .filter(({ kind }) => kind === "same" || kind === own)
      .map(({ kind, item }) => ({ text: item, changed: kind === own }));
  return { before: side("removed"), after: side("added") };
}

/** @param {string} line */
function whole(line) {
  const parts = [{ text: line, changed: false }];
  return { before: parts, after: parts };
}

/** @param {{ kind: Kind, item: string }[]} steps  @param {number} from  @param {Kind} kind */
function run(steps, from, kind) {
  let to = from;
  while (to < steps.length && steps[to].kind === kind) to += 1;
  return steps.slice(from, to).map(({ item }) => item);
}

/**
 * The longest common subsequence of two lists, told as steps from one to the other; removals come before additions.
 *
 * @param {string[]} before
 * @param {string[]} after
 * @param {number} maxCells
 * @returns {{ kind: Kind, item: string }[]}
 */
function compare(before, after, maxCells) {
  let head = 0;
  while (head < before.length && head < after.length && before[head] === after[head]) head += 1;
  let tail = 0;
  const room = Math.min(before.length, after.length) - head;
  while (tail < room && before[before.length - 1 - tail] === after[after.length - 1 - tail]) tail += 1;
  const old = before.slice(head, before.length - tail);
  const now = after.slice(head, after.length - tail);
  return [
    ...before.slice(0, head).map((item) => step("same", item)),
    ...middle(old, now, maxCells),
    ...before.slice(before.length - tail).map((item) => step("same", item)),
  ];
}

/** @param {string[]} old  @param {string[]} now  @param {number} maxCells */
function middle(old, now, maxCells) {
  const width = now.length + 1;
  if ((old.length + 1) * width > maxCells || old.length === 0 || now.length === 0)
    return [...old.map((item) => step("removed", item)), ...now.map((item) => step("added", item))];
  // lengths[i * width + j]: the longest common subsequence of old from i on and now from j on.
  const lengths = new Uint32Array((old.length + 1) * width);
  for (let i = old.length - 1; i >= 0; i -= 1)
    for (let j = now.length - 1; j >= 0; j -= 1)
      lengths[i * width + j] =
        old[i] === now[j]
          ? lengths[(i + 1) * width + j + 1] + 1
          : Math.max(lengths[(i + 1) * width + j], lengths[i * width + j + 1]);
  const steps = [];
  let i = 0;
  let j = 0;
  while (i < old.length && j < now.length) {
    if (old[i] === now[j]) {
      steps.push(step("same", old[i]));
      i += 1;
      j += 1;
    } else if (lengths[(i + 1) * width + j] >= lengths[i * width + j + 1]) steps.push(step("removed", old[i++]));
    else steps.push(step("added", now[j++]));
  }
  while (i < old.length) steps.push(step("removed", old[i++]));
  while (j < now.length) steps.push(step("added", now[j++]));
  return steps;
}

/** @param {Kind} kind  @param {string} item */
function step(kind, item) {
  return { kind, item };
}
