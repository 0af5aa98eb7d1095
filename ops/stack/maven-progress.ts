/** How far Maven's download is. Pure: fed with its output piece by piece. */
export interface DownloadProgress {
  /** The file being fetched, without its address. Empty before the first. */
  readonly file: string
  readonly filesDone: number
  readonly doneBytes: number
  /** What has arrived of the files under way. */
  readonly partialBytes: number
}

export const DOWNLOAD_START: DownloadProgress = { file: '', filesDone: 0, doneBytes: 0, partialBytes: 0 }

const UNIT_BYTES: Record<string, number> = { B: 1, kB: 1e3, KB: 1e3, MB: 1e6, GB: 1e9 }

/**
 * The state after one line of `mvn`'s output. Three forms matter, told from Maven 3.6 to 3.9:
 * `Downloading from <id>: <address>`, `Downloaded from <id>: <address> (12 MB at 3.1 MB/s)` and, between them,
 * `Progress (3): 1.2/108 MB | 0.5/1.3 kB | 610 kB`, where the last has arrived whole.
 */
export function advance(progress: DownloadProgress, line: string): DownloadProgress {
  const downloading = /^Downloading(?: from [^:]+)?: (\S+)/.exec(line)
  if (downloading !== null) return { ...progress, file: fileName(downloading[1]!) }
  const downloaded = /^Downloaded(?: from [^:]+)?: (\S+) \(([\d.]+) ([kKMG]?B)/.exec(line)
  if (downloaded !== null) {
    const bytes = sizeBytes(downloaded[2]!, downloaded[3]!)
    // It was among the parts until now; the sum shown must not jump back.
    const partialBytes = Math.max(0, progress.partialBytes - bytes)
    return { ...progress, filesDone: progress.filesDone + 1, doneBytes: progress.doneBytes + bytes, partialBytes }
  }
  const parts = /^Progress \(\d+\): (.*)$/.exec(line)
  return parts === null ? progress : { ...progress, partialBytes: sumOfParts(parts[1]!) }
}

function sumOfParts(parts: string): number {
  let bytes = 0
  for (const match of parts.matchAll(/([\d.]+)(?:\/[\d.]+)? ([kKMG]?B)/g)) bytes += sizeBytes(match[1]!, match[2]!)
  return bytes
}

function sizeBytes(number: string, unit: string): number {
  return Math.round(Number(number) * (UNIT_BYTES[unit] ?? 0))
}

function fileName(address: string): string {
  return address.slice(address.lastIndexOf('/') + 1)
}

/** One line for a person: what is being fetched, and how much has arrived. */
export function describe(progress: DownloadProgress): string {
  if (progress.file === '') return 'Maven starts'
  const megabytes = ((progress.doneBytes + progress.partialBytes) / 1e6).toFixed(1)
  return `${megabytes} MB so far, ${progress.filesDone} files; now ${progress.file}`
}
