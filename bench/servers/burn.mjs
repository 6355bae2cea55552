/** Work that takes the same number of steps everywhere, so that no measured server gets off more lightly than another. */
let sink = 0;

export function burn(steps) {
  let x = sink | 1;
  for (let i = 0; i < steps; i++) x = Math.imul(x ^ (x >>> 15), 0x2c1b3c6d) + i;
  sink = x;
}

/** Steps that take so many milliseconds of CPU time on this machine. */
export function stepsOf(milliseconds) {
  const trial = 1_000_000;
  for (let i = 0; i < 20; i++) burn(trial);
  const rounds = 100;
  const before = process.cpuUsage();
  for (let i = 0; i < rounds; i++) burn(trial);
  const { user, system } = process.cpuUsage(before);
  return Math.round((trial * rounds * milliseconds * 1000) / (user + system));
}
