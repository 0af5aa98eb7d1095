/** The part of a TTY's read stream that is used; `process.stdin` fits. */
interface Keyboard {
  readonly isTTY?: boolean
  setRawMode?(raw: boolean): unknown
  resume(): unknown
  pause(): unknown
  on(event: 'data', listener: (keys: Buffer) => void): unknown
  off(event: 'data', listener: (keys: Buffer) => void): unknown
}

export interface KeyListeners {
  /** Any key but Ctrl-C. */
  readonly onKey: (key: string) => void
  /** Ctrl-C, which is no signal any more while single keys are read. */
  readonly onInterrupt: () => void
}

/**
 * Reads single keys of a terminal until it is stopped; where there is none it does nothing. The terminal is given back also when the process
 * exits without that.
 * @returns what stops it; null where there is no keyboard
 */
export function listenForKeys(keyboard: Keyboard, { onKey, onInterrupt }: KeyListeners): (() => void) | null {
  if (keyboard.isTTY !== true || keyboard.setRawMode === undefined) return null
  const listener = (keys: Buffer) => {
    for (const key of keys.toString('latin1')) {
      if (key === '\x03') onInterrupt()
      else onKey(key)
    }
  }
  const restore = () => {
    keyboard.setRawMode!(false)
  }
  let stopped = false
  keyboard.setRawMode(true)
  keyboard.on('data', listener)
  keyboard.resume()
  process.once('exit', restore)
  return () => {
    if (stopped) return
    stopped = true
    process.off('exit', restore)
    keyboard.off('data', listener)
    keyboard.pause()
    restore()
  }
}
