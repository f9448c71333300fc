/** Lengths of time, for people who read a trace. */

export const minutesOf = (ms: number): string => `${(ms / 60_000).toFixed(2)} minutes`
