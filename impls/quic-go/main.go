// Command endpoint is the client or the server of a run over a simulated network. What it is to do it learns from the
// environment that the QUIC Interop Runner's contract defines: ROLE, TESTCASE, REQUESTS, PROTOCOLS, SSLKEYLOGFILE and
// QLOGDIR. Which test cases it can be asked for is said in client.testcases and server.testcases.
package main

import (
	"context"
	"log"
	"os"
	"os/signal"
	"syscall"
)

// What the contract calls an endpoint that does not do what it is asked for.
const exitUnsupported = 127

func main() {
	log.SetFlags(log.Ltime | log.Lmicroseconds)
	os.Exit(run())
}

func run() int {
	// The suites quic and webtransport have test cases of the same names, and tell them apart by PROTOCOLS.
	if why := ofAnotherSuite(os.Getenv("PROTOCOLS")); why != "" {
		log.Print(why)
		return exitUnsupported
	}
	roles := map[string]func(*endpoint, context.Context) error{"client": (*endpoint).client, "server": (*endpoint).server}
	role, ok := roles[os.Getenv("ROLE")]
	if !ok {
		log.Printf("there is no role %q", os.Getenv("ROLE"))
		return exitUnsupported
	}

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	e, err := fromEnvironment(os.Getenv)
	if err == nil {
		e.prepare()
		err = role(e, ctx)
		e.traces.flush()
	}
	if err != nil {
		log.Print(err)
		return 1
	}
	return 0
}
