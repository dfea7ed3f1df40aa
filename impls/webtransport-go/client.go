package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// client opens one session on one connection, does there what the test case asks for, and closes both.
func (e *endpoint) client(ctx context.Context) error {
	if e.requests.path == "" {
		return errors.New("REQUESTS is empty")
	}
	tlsConf := newTLS([]string{http3.NextProtoH3}, e.keyLog)
	if err := trust(tlsConf, e.certs); err != nil {
		return err
	}
	var conn *quic.Conn
	dialer := &dialer{
		TLSClientConfig:      tlsConf,
		QUICConfig:           e.quicConfig(),
		ApplicationProtocols: e.protocols,
		DialAddr: func(ctx context.Context, addr string, tlsConf *tls.Config, conf *quic.Config) (*quic.Conn, error) {
			var err error
			conn, err = quic.DialAddr(ctx, addr, tlsConf, conf)
			return conn, err
		},
	}
	defer dialer.Close()
	_, session, err := dialer.Dial(ctx, "https://"+e.requests.host+"/"+e.requests.path, nil)
	if err != nil {
		return fmt.Errorf("opening the session: %w", err)
	}
	defer conn.CloseWithError(noError, "")
	// Reads know nothing of contexts.
	defer context.AfterFunc(ctx, func() { conn.CloseWithError(noError, "interrupted") })()
	log.Printf("session %s with %s, protocol %q", e.requests.path, conn.RemoteAddr(), session.SessionState().ApplicationProtocol)

	if e.testCase == caseTransfer {
		// The server closes the session when it has all it wants.
		if err := e.serveFiles(session, e.requests.path); !endedWell(err, conn) {
			return err
		}
		return nil
	}
	if err := e.request(session); err != nil {
		return err
	}
	log.Printf("%d files are complete", len(e.requests.files))
	return session.CloseWithError(0, "")
}
