// How the two sides find each other: the listener pushes its address to a Redis list, the dialer pops it.

import { createClient } from 'redis'

const RETRY_MS = 100

// Retries until Redis answers: the caller's deadline ends a hopeless wait.
export async function connect ({ host, port, password }) {
  const client = createClient({
    socket: { host, port, reconnectStrategy: () => RETRY_MS },
    password,
    // only what every Redis, and every proxy in front of one, understands
    RESP: 2,
    disableClientInfo: true
  })
  let last

  client.on('error', ({ code, message }) => {
    if (message !== last) {
      console.error(`redis ${host}:${port}: ${message || code}`)
      last = message
    }
  })

  await client.connect()
  return client
}

export async function publish (client, key, address) {
  // a dialer must never pop what an earlier run left behind
  await client.multi().del(key).rPush(key, address).exec()
}

export async function take (client, key) {
  const { element } = await client.blPop(key, 0)

  return element.trim()
}
