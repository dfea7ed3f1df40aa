package main

import (
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// hqALPN is HTTP/0.9 over QUIC, see hq.go.
const hqALPN = "hq-interop"

// Test cases that are more than a plain transfer.
const (
	caseChaCha20     = "chacha20"
	caseHTTP3        = "http3"
	caseMultiConnect = "multiconnect"
	caseResumption   = "resumption"
	caseRetry        = "retry"
	caseZeroRTT      = "zerortt"
)

// endpoint is one side of one test case.
type endpoint struct {
	testCase string
	// requests are the client's downloads.
	requests []*url.URL
	// addr is where the server listens.
	addr string
	// www, downloads and certs are folders.
	www, downloads, certs string
	keyLog                io.Writer
	traces                traces
}

// fromEnvironment reads the contract's environment. The folders and the port are fixed by the contract.
func fromEnvironment(getenv func(string) string) (*endpoint, error) {
	e := &endpoint{testCase: getenv("TESTCASE"), addr: ":443", www: "/www", downloads: "/downloads", certs: "/certs"}
	for _, request := range strings.Fields(getenv("REQUESTS")) {
		u, err := url.Parse(request)
		if err != nil {
			return nil, fmt.Errorf("REQUESTS: %w", err)
		}
		e.requests = append(e.requests, u)
	}
	var err error
	e.keyLog, err = openKeyLog(getenv("SSLKEYLOGFILE"))
	return e, err
}

// alpn is what is offered, in order of preference. Peers that know HTTP/3 alone can take part in every test case.
func (e *endpoint) alpn() []string {
	if e.testCase == caseHTTP3 {
		return []string{http3.NextProtoH3}
	}
	return []string{hqALPN, http3.NextProtoH3}
}

// quicConfig is what both roles have in common.
func (e *endpoint) quicConfig() *quic.Config {
	return &quic.Config{
		// Version 2 would need compatible version negotiation, which quic-go does not have.
		Versions: []quic.Version{quic.Version1},
		// handshakeloss loses every third packet for up to 5 minutes, and nobody may connect a second time.
		HandshakeIdleTimeout: time.Minute,
		MaxIdleTimeout:       5 * time.Minute,
		// Small enough to have to grow within the first megabyte, as the test case transfer demands.
		InitialStreamReceiveWindow:     128 << 10,
		InitialConnectionReceiveWindow: 192 << 10,
		// Path MTU probes are 1-RTT packets of more than a kilobyte each, and zerortt limits the bytes in such packets.
		DisablePathMTUDiscovery: e.testCase == caseZeroRTT,
		Allow0RTT:               true,
		Tracer:                  e.traces.tracer,
	}
}

// ofAnotherSuite says why a run is none of this endpoint's, by its PROTOCOLS; nothing where it is.
func ofAnotherSuite(protocols string) string {
	if protocols == "" {
		return ""
	}
	return "this endpoint does not do WebTransport"
}

// prepare sets up the process, once, for the test case.
func (e *endpoint) prepare() {
	if e.testCase == caseChaCha20 {
		onlyChaCha20()
	}
}
