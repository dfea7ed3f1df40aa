package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/webtransport-go"
)

// How long a client may take to close the connection when its session has been closed.
const closePatience = 5 * time.Second

// server listens and accepts sessions. Where it asks for files itself it ends when it has them, or cannot have them;
// else it goes on until ctx ends.
func (e *endpoint) server(ctx context.Context) error {
	listener, closeSocket, err := e.listen()
	if err != nil {
		return err
	}
	defer closeSocket()
	return e.accept(ctx, listener)
}

func (e *endpoint) listen() (*quic.EarlyListener, func(), error) {
	tlsConf := newTLS([]string{http3.NextProtoH3}, e.keyLog)
	if err := identify(tlsConf, e.certs); err != nil {
		return nil, nil, err
	}
	return listen(e.addr, tlsConf, e.quicConfig(), false)
}

// accept serves connections until ctx ends or the requests have been answered, then closes them all.
func (e *endpoint) accept(ctx context.Context, listener *quic.EarlyListener) error {
	work, finish := context.WithCancelCause(context.Background())
	defer context.AfterFunc(ctx, func() { finish(nil) })()
	defer context.AfterFunc(work, func() { listener.Close() })()

	var connections sync.WaitGroup
	for {
		conn, err := listener.Accept(context.Background())
		if errors.Is(err, quic.ErrServerClosed) {
			break
		}
		if err != nil {
			return err
		}
		connections.Go(func() { e.serve(work, conn, finish) })
	}
	connections.Wait()
	if err := context.Cause(work); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// serve is the life of one connection.
func (e *endpoint) serve(ctx context.Context, conn *quic.Conn, finish context.CancelCauseFunc) {
	defer context.AfterFunc(ctx, func() { conn.CloseWithError(noError, "") })()

	h3 := &http3.Server{}
	webtransport.ConfigureHTTP3Server(h3)
	server := &webtransport.Server{
		H3:                   h3,
		ApplicationProtocols: e.protocols,
		// A browser's page comes from elsewhere.
		CheckOrigin: func(*http.Request) bool { return true },
	}
	h3.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		if !e.has(path) {
			log.Printf("%s: there is no endpoint %q", conn.RemoteAddr(), path)
			http.NotFound(w, r)
			return
		}
		session, err := server.Upgrade(w, r)
		if err != nil {
			log.Printf("%s: %s %s is not a session: %v", conn.RemoteAddr(), r.Method, r.URL, err)
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		log.Printf("%s: session %s, protocol %q", conn.RemoteAddr(), path, session.SessionState().ApplicationProtocol)
		e.serveSession(session, path, conn, finish)
	})
	err := server.ServeQUICConn(conn)
	log.Printf("%s ended: %v", conn.RemoteAddr(), errors.Join(err, context.Cause(conn.Context())))
}

// has tells whether sessions may have this path: it is a folder of the files to serve, even if an empty one.
func (e *endpoint) has(path string) bool {
	info, err := os.Stat(filepath.Join(e.www, filepath.Base(path)))
	return path != "" && err == nil && info.IsDir()
}

func (e *endpoint) serveSession(session *webtransport.Session, path string, conn *quic.Conn, finish context.CancelCauseFunc) {
	switch e.testCase {
	case caseHandshake:
		if err := e.request(session); err != nil {
			finish(err)
		}
	case caseTransfer:
		if err := e.serveFiles(session, path); !endedWell(err, conn) {
			log.Printf("%s: session %s: %v", conn.RemoteAddr(), path, err)
		}
	default:
		if path != e.requests.path {
			finish(fmt.Errorf("a session %s came, while the requests are for %s", path, e.requests.path))
			return
		}
		if err := e.request(session); err != nil {
			finish(err)
			return
		}
		log.Printf("%d files are complete", len(e.requests.files))
		session.CloseWithError(0, "")
		select {
		case <-conn.Context().Done():
		case <-time.After(closePatience):
		}
		finish(nil)
	}
}
