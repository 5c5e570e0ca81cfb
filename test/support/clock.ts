/** A clock that stands until it is moved. */

export interface TestClock {
  nowMs: number;
  pass(ms: number): void;
}

export function testClock(nowMs = Date.parse('2026-01-01T00:00:00Z')): TestClock {
  const clock: TestClock = {
    nowMs,
    pass(ms) {
      clock.nowMs += ms;
    },
  };
  return clock;
}
