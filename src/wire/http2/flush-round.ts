/** Lets every connection that has something to send do so once, at the end of the turn of the event loop. */
export interface Flushing {
  flush: () => void;
}

let waiting: Flushing[] = [];

export function flushSoon(connection: Flushing): void {
  if (waiting.push(connection) === 1) setImmediate(flushAll);
}

function flushAll(): void {
  const round = waiting;
  waiting = [];
  for (const connection of round) connection.flush();
}
