import { closeSync, fstatSync, openSync, renameSync, writeSync } from 'node:fs'

export interface LogSink {
  write: (line: string) => void
  close: () => void
}

/** The last lines of a log, for the error that ends it. */
export interface LogTail {
  push(line: string): void
  lines(): readonly string[]
}

export function createLogTail(limit: number): LogTail {
  const kept: string[] = []
  return {
    push(line) {
      kept.push(line)
      if (kept.length > limit) kept.shift()
    },
    lines: () => [...kept],
  }
}

/**
 * Appends lines to a file that, when it has reached `limitBytes`, moves to `<path>.1` and starts again. A line that
 * cannot be written (the disk is full) is dropped: a log must not stop the store.
 */
export function createLogFile(path: string, limitBytes: number): LogSink {
  let file = openLog(path)
  let closed = false
  const rotate = (): void => {
    closeSync(file)
    renameSync(path, `${path}.1`)
    file = openLog(path)
  }
  return {
    write(line) {
      if (closed) return
      try {
        if (fstatSync(file).size >= limitBytes) rotate()
        writeSync(file, `${line}\n`)
      } catch {
        // Dropped, as promised above.
      }
    },
    close() {
      if (!closed) closeSync(file)
      closed = true
    },
  }
}

function openLog(path: string): number {
  return openSync(path, 'a', 0o600)
}
