package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"golang.org/x/sync/errgroup"
)

// How long a server may take to send a session ticket, counted from the end of the first download.
const ticketPatience = 15 * time.Second

// protocolClient is a connection with the protocol negotiated for it.
type protocolClient interface {
	// request asks for one file. What it returns writes the content, and may be called in another goroutine.
	request(context.Context, *url.URL) (func(io.Writer) error, error)
	// close ends the connection without an error. It returns when the peer has been told.
	close()
}

// dialFunc is quic.DialAddr or quic.DialAddrEarly.
type dialFunc func(context.Context, string, *tls.Config, *quic.Config) (*quic.Conn, error)

// client downloads all that is requested, over as many connections as the test case wants.
func (e *endpoint) client(ctx context.Context) error {
	if len(e.requests) == 0 {
		return errors.New("REQUESTS is empty")
	}
	tlsConf := newTLS(e.alpn(), e.keyLog)
	if err := trust(tlsConf, e.certs); err != nil {
		return err
	}
	switch e.testCase {
	case caseMultiConnect:
		for i := range e.requests {
			if err := e.connection(ctx, quic.DialAddr, tlsConf, e.requests[i:i+1], nil); err != nil {
				return fmt.Errorf("connection %d: %w", i+1, err)
			}
		}
		return nil
	case caseResumption:
		return e.twoConnections(ctx, quic.DialAddr, tlsConf)
	case caseZeroRTT:
		return e.twoConnections(ctx, quic.DialAddrEarly, tlsConf)
	default:
		return e.connection(ctx, quic.DialAddr, tlsConf, e.requests, nil)
	}
}

// twoConnections downloads the first file over one connection, and the others over one that resumes it.
func (e *endpoint) twoConnections(ctx context.Context, second dialFunc, tlsConf *tls.Config) error {
	if len(e.requests) < 2 {
		return fmt.Errorf("%s needs two files", e.testCase)
	}
	session := &session{ClientSessionCache: tls.NewLRUClientSessionCache(1), arrived: make(chan struct{})}
	tlsConf.ClientSessionCache = session
	if err := e.connection(ctx, quic.DialAddr, tlsConf, e.requests[:1], session); err != nil {
		return fmt.Errorf("first connection: %w", err)
	}
	if err := e.connection(ctx, second, tlsConf, e.requests[1:], session); err != nil {
		return fmt.Errorf("second connection: %w", err)
	}
	return nil
}

// connection connects once, downloads all files at the same time, and closes. With a session, it resumes that, or
// waits until it can be resumed.
func (e *endpoint) connection(ctx context.Context, dial dialFunc, tlsConf *tls.Config, requests []*url.URL, session *session) error {
	// Nothing slow may come between the requests: the closer they follow each other, the fewer packets they fill, and
	// 0-RTT sends a whole burst of them into a queue that holds 25.
	files, err := e.create(requests)
	if err != nil {
		return err
	}
	conn, err := dial(ctx, requests[0].Host, tlsConf, e.quicConfig())
	if err != nil {
		return err
	}
	// Reads know nothing of contexts.
	defer context.AfterFunc(ctx, func() { conn.CloseWithError(0, "interrupted") })()

	client := protocol(conn, session)
	defer client.close()
	var downloads errgroup.Group
	for i, u := range requests {
		receive, err := client.request(ctx, u)
		if err != nil {
			return fmt.Errorf("%s: %w", u, err)
		}
		downloads.Go(func() error {
			if err := errors.Join(receive(files[i]), files[i].Close()); err != nil {
				return fmt.Errorf("%s: %w", u, err)
			}
			return nil
		})
	}
	if err := downloads.Wait(); err != nil {
		return err
	}

	state := conn.ConnectionState()
	log.Printf("%d files over %s from %s, resumed: %t, 0-RTT: %t",
		len(requests), state.TLS.NegotiatedProtocol, conn.RemoteAddr(), state.TLS.DidResume, state.Used0RTT)
	if session == nil {
		return nil
	}
	session.protocol = state.TLS.NegotiatedProtocol
	return session.wait(ctx, conn)
}

// protocol speaks what was negotiated. During a 0-RTT handshake crypto/tls would not tell before its end, but then it
// is what the session had: early data is not accepted under another protocol (RFC 8446, section 4.2.10).
func protocol(conn *quic.Conn, session *session) protocolClient {
	var negotiated string
	early := false
	select {
	case <-conn.HandshakeComplete():
		negotiated = conn.ConnectionState().TLS.NegotiatedProtocol
	default:
		early = true
		negotiated = session.protocol
	}
	if negotiated == http3.NextProtoH3 {
		return newH3Client(conn, early)
	}
	return hqClient{conn}
}

// create makes an empty file for each request, in the same order.
func (e *endpoint) create(requests []*url.URL) ([]*os.File, error) {
	files := make([]*os.File, len(requests))
	for i, u := range requests {
		var err error
		if files[i], err = os.Create(filepath.Join(e.downloads, path.Base(u.Path))); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// session is what a first connection leaves for a second one.
type session struct {
	tls.ClientSessionCache
	// arrived is closed when there is a ticket.
	arrived  chan struct{}
	once     sync.Once
	protocol string
}

func (s *session) Put(server string, state *tls.ClientSessionState) {
	s.ClientSessionCache.Put(server, state)
	if state != nil {
		s.once.Do(func() { close(s.arrived) })
	}
}

func (s *session) wait(ctx context.Context, conn *quic.Conn) error {
	select {
	case <-s.arrived:
		return nil
	case <-time.After(ticketPatience):
		return fmt.Errorf("no session ticket came within %s", ticketPatience)
	case <-conn.Context().Done():
		return fmt.Errorf("no session ticket came: %w", context.Cause(conn.Context()))
	case <-ctx.Done():
		return ctx.Err()
	}
}
