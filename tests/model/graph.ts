/** Pairs of numbers by the million, and who can reach whom along them, backwards. */

export type Edges = {
  readonly add: (from: number, to: number) => void
  /** Everything from which one of these is reached, they included, as a mark for each of `count`. */
  readonly reaching: (targets: readonly number[], count: number) => Uint8Array
}

export function createEdges(): Edges {
  let pairs = new Int32Array(1 << 16)
  let used = 0
  return {
    add(from, to) {
      if (used === pairs.length) {
        const larger = new Int32Array(pairs.length * 2)
        larger.set(pairs)
        pairs = larger
      }
      pairs[used++] = from
      pairs[used++] = to
    },
    reaching: (targets, count) => reaching(pairs.subarray(0, used), { targets, count }),
  }
}

function reaching(pairs: Int32Array, { targets, count }: { targets: readonly number[]; count: number }): Uint8Array {
  // For each state where its predecessors begin, and all of them in one row.
  const begin = new Int32Array(count + 1)
  for (let i = 1; i < pairs.length; i += 2) begin[pairs[i]! + 1]!++
  for (let i = 0; i < count; i++) begin[i + 1]! += begin[i]!
  const row = new Int32Array(pairs.length / 2)
  const filled = begin.slice()
  for (let i = 0; i < pairs.length; i += 2) row[filled[pairs[i + 1]!]!++] = pairs[i]!
  const marks = new Uint8Array(count)
  const found = [...targets]
  for (const one of found) marks[one] = 1
  for (let one = found.pop(); one !== undefined; one = found.pop()) {
    for (let i = begin[one]!; i < begin[one + 1]!; i++) {
      const before = row[i]!
      if (marks[before] === 1) continue
      marks[before] = 1
      found.push(before)
    }
  }
  return marks
}
