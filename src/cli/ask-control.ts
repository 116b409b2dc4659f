/** Asks the running Postern. What carries the question is loaded by the question: `postern run` lists all commands and asks none. */
import type { askControl as ask } from '../control/control-socket.ts';

export const askControl: typeof ask = async (...question) =>
  (await import('../control/control-socket.ts')).askControl(...question);
