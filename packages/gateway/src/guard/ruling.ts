/** What a guard says of the text of one statement, before it reaches the target. */

export type Use = {
  /** `SELECT`, `INSERT`, … as the grammar names it. */
  readonly kind: string
  /** `schema.table` where the text names the schema, else the table alone. Sorted, without repetitions. */
  readonly tables: readonly string[]
}

export type Refusal = {
  readonly ruling: 'refuse'
  /** Id of the rule, for the entry and the hint. */
  readonly rule: string
  /** For people: what may not be done. Has names out of the text, without control characters, and never its literals. */
  readonly message: string
  /** For people: what would be let through. Absent: nothing that the guard knows of. */
  readonly remedy?: string
}

/** One execution of the text waits for a person. */
export type Asking = {
  readonly ruling: 'ask'
  readonly rule: string
  readonly message: string
  readonly uses: readonly Use[]
  /** Lists of groups, `owner` among them: whoever answers is in one of each. Absent: whoever owns the resource. */
  readonly approvers?: readonly (readonly string[])[]
  /** How long it waits. Absent: as long as is usual. */
  readonly withinMs?: number
}

export type Ruling = { readonly ruling: 'allow'; readonly uses: readonly Use[] } | Refusal | Asking

/** Judges what a client sends as one simple query or one Parse. Takes any text, and never throws. */
export type Guard = { readonly judge: (text: string) => Ruling }
