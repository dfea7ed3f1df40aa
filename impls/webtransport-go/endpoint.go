package main

import (
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/quic-go/quic-go"
)

// Test cases in which an endpoint asks for nothing. The names of the others say how files are asked for, see methods.
const (
	caseHandshake = "handshake"
	caseTransfer  = "transfer"
)

// endpoint is one side of one test case. What the contract calls an endpoint, the path of a session, is named path here.
type endpoint struct {
	testCase string
	// protocols are the application protocols to negotiate, in order of preference.
	protocols []string
	requests  requests
	// addr is where the server listens.
	addr string
	// www, downloads and certs are folders.
	www, downloads, certs string
	keyLog                io.Writer
	traces                traces
}

// requests are the files to ask for in a session.
type requests struct {
	// host is empty at servers.
	host, path string
	files      []string
}

// fromEnvironment reads the contract's environment. The folders and the port are fixed by the contract.
func fromEnvironment(getenv func(string) string) (*endpoint, error) {
	e := &endpoint{
		testCase:  getenv("TESTCASE"),
		protocols: strings.Fields(getenv("PROTOCOLS")),
		addr:      ":443",
		www:       "/www",
		downloads: "/downloads",
		certs:     "/certs",
	}
	var err error
	if e.requests, err = parseRequests(getenv("REQUESTS")); err != nil {
		return nil, fmt.Errorf("REQUESTS: %w", err)
	}
	e.keyLog, err = openKeyLog(getenv("SSLKEYLOGFILE"))
	return e, err
}

// parseRequests reads URLs, as clients have them, or paths, as servers have them. The first part of a path is that of
// the session, what follows is the file; without a file there is but the session.
func parseRequests(list string) (requests, error) {
	var all requests
	for i, request := range strings.Fields(list) {
		u, err := url.Parse(request)
		if err != nil {
			return requests{}, err
		}
		path, file, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
		if path == "" {
			return requests{}, fmt.Errorf("%q does not name an endpoint", request)
		}
		if i > 0 && (u.Host != all.host || path != all.path) {
			// It would need WebTransport's flow control, which not all peers have, and no test case asks for it.
			return requests{}, fmt.Errorf("%q is of another session than what comes before it", request)
		}
		all.host, all.path = u.Host, path
		if file != "" {
			all.files = append(all.files, file)
		}
	}
	return all, nil
}

// quicConfig is what both roles have in common.
func (e *endpoint) quicConfig() *quic.Config {
	return &quic.Config{
		Versions:                         []quic.Version{quic.Version1},
		HandshakeIdleTimeout:             time.Minute,
		MaxIdleTimeout:                   3 * time.Minute,
		EnableDatagrams:                  true,
		EnableStreamResetPartialDelivery: true,
		Tracer:                           e.traces.tracer,
	}
}

// ofAnotherSuite says why a run is none of this endpoint's, by its PROTOCOLS; nothing where it is.
func ofAnotherSuite(protocols string) string {
	if protocols != "" {
		return ""
	}
	return "this endpoint does WebTransport only, and there are no PROTOCOLS"
}

// prepare has nothing to set up here.
func (e *endpoint) prepare() {}
