// Which of a listener's own addresses the other side can reach.

import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { transportOf } from './negotiated.js'

const UNREACHABLE = /^\/(ip4\/(127\.|169\.254\.)|ip6\/(::1|fe[89ab][0-9a-f]:))/

export async function reachableAddress (node, { transport, ip, redis }) {
  const family = ip.includes(':') ? '/ip6/' : '/ip4/'
  const own = node.getMultiaddrs()
    .map(String)
    // told to listen there, the other side is there too
    .filter(each => each.startsWith(`${family}${ip}/`) || (each.startsWith(family) && !UNREACHABLE.test(each)))
    .filter(each => transportOf(each) === transport)
  const address = own.find(each => !isUnspecified(each)) ?? own[0]

  if (address == null) {
    throw new Error(`no ${transport} address among ${node.getMultiaddrs().join(' ') || 'none'}`)
  }

  const reachable = isUnspecified(address) ? address.replace('0.0.0.0', await addressTowards(redis)) : address
  const suffix = `/p2p/${node.peerId}`

  return reachable.endsWith(suffix) ? reachable : reachable + suffix
}

function isUnspecified (address) {
  return address.startsWith('/ip4/0.0.0.0/')
}

// The address packets to Redis leave from is on the network shared with the other side. Sends nothing.
async function addressTowards ({ host, port }) {
  const socket = createSocket('udp4')

  try {
    socket.connect(port, host)
    await once(socket, 'connect')
    return socket.address().address
  } finally {
    socket.close()
  }
}
