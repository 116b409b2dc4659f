/**
 * A preload that shifts the clock of a real process in all its threads, by what `offset` in the folder DEFECTS says.
 * Timers and performance.now() go on as they were: what a wrong clock does is wrong dates.
 */
export const SHIFTED_CLOCK = `
import { readFileSync } from 'node:fs';
const RealDate = Date;
let offset = 0;
const look = () => {
  try {
    offset = Number(readFileSync(process.env.DEFECTS + '/offset', 'utf8'));
  } catch {}
};
look();
setInterval(look, 20).unref();
globalThis.Date = class extends RealDate {
  constructor(...args) {
    super(...(args.length === 0 ? [RealDate.now() + offset] : args));
  }
  static now() {
    return RealDate.now() + offset;
  }
};
`;
