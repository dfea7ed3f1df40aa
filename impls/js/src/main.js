// The ping app in Node.

import { reachableAddress } from './address.js'
import { dialAndPing, onAccepted } from './ends.js'
import { reportNegotiated } from './negotiated.js'
import { connect, publish, take } from './rendezvous.js'
import { fail, run } from './run.js'
import { createNode, loadStack } from './stack.js'

await run(async contract => {
  const stack = await loadStack(contract)
  const redis = await connect(contract.redis)
  const node = await createNode(stack, contract)

  return contract.isDialer ? dial(node, redis, contract) : listen(node, redis, contract)
})

async function dial (node, redis, contract) {
  const address = await take(redis, contract.key)
  const signal = AbortSignal.timeout(contract.timeoutMs)

  console.error(`dialing ${address}`)
  return dialAndPing(node, address, connection => reportNegotiated(connection, contract), signal)
}

async function listen (node, redis, contract) {
  const address = await reachableAddress(node, contract)

  onAccepted(node, connection => {
    try {
      // The remote address of an accepted connection is but an ip and a port for most transports.
      // What tells the transport is the address it was accepted on, the node has no other.
      reportNegotiated({ ...connection, address }, contract)
    } catch (err) {
      fail(err)
    }
  })

  await publish(redis, contract.key, address)
  console.error(`listening on ${address}`)
  return new Promise(() => {})
}
