/** A clock that stands still until it is told to move. Times are milliseconds since 1970. */
export interface TestClock {
  now(): number
  advance(ms: number): void
  set(instant: number): void
}

export function createClock(start: number = Date.UTC(2026, 0, 5, 9)): TestClock {
  let instant = start
  return {
    now: () => instant,
    advance(ms) {
      instant += ms
    },
    set(to) {
      instant = to
    },
  }
}
