// What every run shares, in Node and in front of a browser: its deadline, its signals and its one way out.

import { enable } from '@libp2p/logger'
import { readContract } from './contract.js'

// `play` gets the contract and resolves to the times of a dialer, or never, for a listener.
export async function run (play) {
  let contract

  try {
    contract = readContract(process.env)
  } catch (err) {
    fail(err)
  }

  const { isDialer, timeoutMs, debug, record } = contract

  // as PID 1 nothing but these handlers ends the process; stopping a listener is how its run normally ends
  process.once('SIGTERM', () => process.exit(isDialer ? 143 : 0))
  process.once('SIGINT', () => process.exit(isDialer ? 130 : 0))

  setTimeout(() => fail(new Error(`timed out after ${timeoutMs / 1000} s`)), timeoutMs)

  if (debug) {
    enable('libp2p:*')
  }

  try {
    const times = await play(contract)

    // exits at once, a peer that lingers cannot hold the result back
    process.stdout.write(record(times), () => process.exit(0))
  } catch (err) {
    fail(err, debug)
  }
}

export function fail (err, verbose = false) {
  console.error(verbose ? err : explain(err))
  process.exit(1)
}

// One line: the reason, and the reasons for it.
function explain (err) {
  const reasons = [err, ...(err.errors ?? []), err.cause]
    .map(reason => reason?.message?.split('\n')[0])
    .filter(Boolean)

  const distinct = reasons.filter((reason, i) => !reasons.slice(0, i).some(earlier => earlier.includes(reason)))

  return `error: ${distinct.join(': ') || err}`
}
