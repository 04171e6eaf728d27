/** How many are carried out in one turn of the event loop. Between 2 and 6 it makes no difference that can be measured; with all of them at
 *  once a commit's answer, and with it ten nodes, waited for up to ten requests. */
const TURN_MAX = 4;

const waiting: (() => void)[] = [];
let scheduled = false;

/** Calls back when the turn is a caller's: what nodes and the store have said by now is heard first, and what it changes is on its way to the
 *  disk. A node that is done is idle until then, a caller only waits a moment longer. Under the load of the round trip's bench it made
 *  the turns larger and fewer: a tenth less of the main thread and of all threads for a task. */
export function giveWay(then: () => void): void {
  waiting.push(then);
  if (scheduled) return;
  scheduled = true;
  // The first lets this turn's sockets be read to their end and its changes go to the store; the second is behind one more look.
  setImmediate(() => setImmediate(takeTurn));
}

function takeTurn(): void {
  for (const then of waiting.splice(0, TURN_MAX)) then();
  if (waiting.length > 0) setImmediate(takeTurn);
  else scheduled = false;
}
