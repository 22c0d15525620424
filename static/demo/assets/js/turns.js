// The attacks and the edits take turns: made at once, each would spoil what the other shows.

let last = Promise.resolve();

/** Acts once all that came before is over; `act` never rejects. */
export function inTurn(act) {
  last = last.then(act);
  return last;
}
