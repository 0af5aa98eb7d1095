import { AsyncLocalStorage } from 'node:async_hooks'
import { createRequire } from 'node:module'

/*
 * One writer for a source is what keeps topic order version order. A lock cannot ensure it alone: a writer that was frozen between
 * looking at its lock and sending would send after it was replaced. So the broker refuses it: producers of one name get one producer id
 * from the coordinator, each with a higher epoch than the one before, and a partition that was written under an epoch takes nothing of a
 * lower one. What an older producer can still append goes to partitions that its successor has not come to yet, and the
 * successor publishes the same again behind it.
 *
 * This is the half of Kafka's transactions that costs one request at the start and nothing after. The library gives named ids to
 * transactions only, so its request for a producer id is given the name here.
 */

interface Cluster {
  findControllerBroker(): Promise<unknown>
  findGroupCoordinator(of: { groupId: string; coordinatorType: number }): Promise<unknown>
}

interface Broker {
  initProducerId(request: { transactionalId?: string | undefined; transactionTimeout?: number }): Promise<unknown>
}

const TRANSACTION_COORDINATOR = 1
const named = new AsyncLocalStorage<string>()
let installed = false

/** Runs what asks for a producer id so that it gets the one of this name, and every earlier holder of it is refused. */
export function withProducerName<T>(name: string, run: () => Promise<T>): Promise<T> {
  install()
  return named.run(name, run)
}

function install(): void {
  if (installed) return
  installed = true
  const require = createRequire(import.meta.url)
  const cluster = (require('kafkajs/src/cluster/index.js') as { prototype: Cluster }).prototype
  const broker = (require('kafkajs/src/broker/index.js') as { prototype: Broker }).prototype
  const { findControllerBroker } = cluster
  const { initProducerId } = broker
  cluster.findControllerBroker = function (this: Cluster) {
    const groupId = named.getStore()
    if (groupId === undefined) return findControllerBroker.call(this)
    return this.findGroupCoordinator({ groupId, coordinatorType: TRANSACTION_COORDINATOR })
  }
  broker.initProducerId = function (this: Broker, request) {
    const name = named.getStore()
    return initProducerId.call(this, name === undefined ? request : { ...request, transactionalId: name })
  }
}
