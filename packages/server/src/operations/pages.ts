/** Pages over ids, which sort by age: newest first, and the cursor is the last id seen. */

type Item = { readonly id: string }

/** @param rows one more than `limit` where there is a next page */
export function pageOf<Row extends Item, View>(
  rows: readonly Row[],
  limit: number,
  view: (row: Row) => View,
): { items: View[]; next?: string } {
  const shown = rows.slice(0, limit)
  const last = shown.at(-1)
  const more = rows.length > limit && last
  return { items: shown.map(view), ...(more && { next: last.id }) }
}
