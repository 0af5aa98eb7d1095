// Given to a process with `--import`, it makes the system's clock wrong for it by CLOCK_OFFSET_MS. The monotonic clock stays, as it does on a real machine.

const offsetMs = Number(process.env.CLOCK_OFFSET_MS)
if (!Number.isSafeInteger(offsetMs)) throw new Error('CLOCK_OFFSET_MS is not a number of milliseconds')

const RealDate = Date
const now = () => RealDate.now() + offsetMs

globalThis.Date = new Proxy(RealDate, {
  construct: (target, args, newTarget) => Reflect.construct(target, args.length === 0 ? [now()] : args, newTarget),
  apply: () => new RealDate(now()).toString(),
  get: (target, name, receiver) => (name === 'now' ? now : Reflect.get(target, name, receiver)),
})
