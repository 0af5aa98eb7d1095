/** The environment in which a process's clock is wrong by so much. */
export function clockOff(byMs: number): Readonly<Record<string, string>> {
  return {
    NODE_OPTIONS: `--import=${new URL('./clock-offset.ts', import.meta.url).href}`,
    CLOCK_OFFSET_MS: String(byMs),
  }
}
