/** Lists that the server gives in pages. */

import { limits as apiLimits } from '@tidegate/api'
import type { Invocation } from './context.ts'
import { limits } from './limits.ts'
import type { Line } from './output.ts'
import { wholeNumber } from './values.ts'

export const limitOption = {
  about: `How many to list, at most ${limits.listMax}.`,
  value: wholeNumber('N', { min: 1, max: limits.listMax }),
  default: String(limits.listDefault),
} as const

type Page<T> = { readonly items: readonly T[]; readonly next?: string | undefined }

type Paging = { readonly limit: number; readonly cursor?: string }

/** The first `count` items over as many pages as that takes; `next` where there are more. */
export async function collect<T>(count: number, fetchPage: (paging: Paging) => Promise<Page<T>>): Promise<Page<T>> {
  const items: T[] = []
  let next: string | undefined
  do {
    const limit = Math.min(count - items.length, apiLimits.pageSizeMax)
    const page: Page<T> = await fetchPage({ limit, ...(next !== undefined && { cursor: next }) })
    items.push(...page.items)
    next = page.next
  } while (next !== undefined && items.length < count)
  return { items, ...(next !== undefined && { next }) }
}

type Shown<T> = { readonly lines: (items: readonly T[]) => readonly Line[]; readonly empty: string }

/** Prints a list as the API's page of it, or as lines, and says when it is not all there is. */
export function printPage<P extends Page<unknown>>(
  { out }: Invocation,
  page: P,
  { lines, empty }: Shown<P['items'][number]>,
): void {
  out.result(page, () => (page.items.length === 0 ? [] : lines(page.items)))
  if (page.items.length === 0) out.note(empty)
  if (page.next !== undefined) out.note(`There are more than these ${page.items.length}: raise --limit to see them.`)
}
