package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/webtransport-go"
)

// request does what the test case asks of the side that wants something in a session: files, or to know the protocol.
func (e *endpoint) request(session *webtransport.Session) error {
	if e.testCase == caseHandshake {
		return recordProtocol(session, e.downloads)
	}
	name := filepath.Join(e.downloads, e.requests.path)
	if err := os.MkdirAll(name, 0o755); err != nil {
		return err
	}
	folder, err := os.OpenRoot(name)
	if err != nil {
		return err
	}
	defer folder.Close()
	return methods[e.testCase](session, e.requests.files, folder)
}

// recordProtocol leaves what was negotiated where the contract looks for it.
func recordProtocol(session *webtransport.Session, downloads string) error {
	protocol := session.SessionState().ApplicationProtocol
	if protocol == "" {
		return errors.New("no application protocol was negotiated")
	}
	return os.WriteFile(filepath.Join(downloads, "negotiated_protocol.txt"), []byte(protocol), 0o644)
}

// serveFiles answers what is asked for below a path, until the session ends. It returns why it did.
func (e *endpoint) serveFiles(session *webtransport.Session, path string) error {
	files, err := os.OpenRoot(filepath.Join(e.www, path))
	if err != nil {
		return err
	}
	defer files.Close()
	return answer(session, files)
}

const noError = quic.ApplicationErrorCode(http3.ErrCodeNoError)

// endedWell tells whether the peer has ended a session without an error: with the capsule made for that, or by the end
// of the session's stream, or together with the connection.
func endedWell(err error, conn *quic.Conn) bool {
	if session, ok := errors.AsType[*webtransport.SessionError](err); ok {
		return session.Remote && session.ErrorCode == 0
	}
	if stream, ok := errors.AsType[*http3.Error](err); ok && stream.ErrorMessage == io.EOF.Error() {
		return true
	}
	select {
	case <-conn.Context().Done():
	case <-time.After(time.Second):
	}
	closed, ok := errors.AsType[*quic.ApplicationError](context.Cause(conn.Context()))
	return ok && closed.Remote && (closed.ErrorCode == 0 || closed.ErrorCode == noError)
}
