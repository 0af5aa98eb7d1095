#!/usr/bin/env -S node --max-semi-space-size=8 --heap-growing-percent=100
import { enableCompileCache, flushCompileCache } from 'node:module'
import { fileURLToPath } from 'node:url'

const FLUSH_MS = 5_000

// Half of what a start costs is the compiling of modules. Beside the packages, where only who installs may write; without the right to,
// nothing is kept.
enableCompileCache(fileURLToPath(new URL('../../node_modules/.cache/tributary', import.meta.url)))
// A process that is killed writes nothing at its end.
setTimeout(flushCompileCache, FLUSH_MS).unref()
await import('./main.ts')
