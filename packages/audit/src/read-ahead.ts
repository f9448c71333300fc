/** Loads items in order, up to `limit` of them at the same time. What was begun when the reader stops is let go. */
export async function* readAhead<Item, Loaded>(
  items: Iterable<Item>,
  limit: number,
  load: (item: Item) => Promise<Loaded>,
): AsyncGenerator<Loaded, void, undefined> {
  const underway: Promise<Loaded>[] = []
  for (const item of items) {
    if (underway.length >= limit) yield await (underway.shift() as Promise<Loaded>)
    const loading = load(item)
    // A load that nobody awaits any more must not end the process by failing.
    loading.catch(() => undefined)
    underway.push(loading)
  }
  for (const loading of underway) yield await loading
}
