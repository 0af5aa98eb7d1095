#!/usr/bin/env -S MALLOC_MMAP_THRESHOLD_=1048576 MALLOC_TRIM_THRESHOLD_=1048576 node --max-semi-space-size=16 --heap-growing-percent=50
// Memory, for which throughput gives nothing up: buffers of a megabyte go back to the system when they are let go (glibc keeps them otherwise),
// what a batch makes is mostly gone before it is moved to the old heap, and that grows by halves.
import { enableCompileCache, flushCompileCache } from 'node:module'
import { fileURLToPath } from 'node:url'

const FLUSH_MS = 5_000

// Half of what a start costs is the compiling of modules. Beside the packages, where only who installs may write; without the right to,
// nothing is kept.
enableCompileCache(fileURLToPath(new URL('../../node_modules/.cache/tributary', import.meta.url)))
// A process that is killed writes nothing at its end.
setTimeout(flushCompileCache, FLUSH_MS).unref()
await import('./main.ts')
