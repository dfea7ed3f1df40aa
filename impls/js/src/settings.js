// What every node of this app has in common, in Node and in the page.

import { identify } from '@libp2p/identify'
import { ping } from '@libp2p/ping'

// The timeout of the run is the only one: the library's own must not end a slow handshake earlier.
export function settings (timeoutMs) {
  return {
    connectionManager: { dialTimeout: timeoutMs, addressDialTimeout: timeoutMs, inboundUpgradeTimeout: timeoutMs },
    connectionMonitor: { enabled: false },
    connectionGater: { denyDialMultiaddr: async () => false },
    services: { identify: identify(), ping: ping({ timeout: timeoutMs }) }
  }
}
