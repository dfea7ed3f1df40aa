// The relay through which browsers find each other.

import { circuitRelayServer } from '@libp2p/circuit-relay-v2'
import { noise } from '@libp2p/noise'
import { webSockets } from '@libp2p/websockets'
import { yamux } from '@libp2p/yamux'
import { createLibp2p } from 'libp2p'
import { reachableAddress } from './address.js'
import { settings } from './settings.js'

export async function startRelay ({ ip, redis, timeoutMs }) {
  const { services, ...rest } = settings(timeoutMs)
  const node = await createLibp2p({
    ...rest,
    addresses: { listen: [`/${ip.includes(':') ? 'ip6' : 'ip4'}/${ip}/tcp/0/ws`] },
    transports: [webSockets()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services: { ...services, relay: circuitRelayServer({ reservations: { applyDefaultLimit: false } }) }
  })

  return reachableAddress(node, { transport: 'ws', ip, redis })
}
