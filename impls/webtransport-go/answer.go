package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"sync"

	"github.com/quic-go/webtransport-go"
)

// Given to the peer for a stream that will not carry a file.
const noFile webtransport.StreamErrorCode = 1

// answer sends the files of a folder that the peer asks for, on streams of either kind and in datagrams, until the
// session ends. It returns why it did.
func answer(session *webtransport.Session, files *os.Root) error {
	var ends sync.WaitGroup
	var why error
	ends.Go(func() { why = answerStreams(session, files) })
	ends.Go(func() { answerUniStreams(session, files) })
	ends.Go(func() { answerDatagrams(session, files) })
	ends.Wait()
	return why
}

func answerStreams(session *webtransport.Session, files *os.Root) error {
	var sending sync.WaitGroup
	defer sending.Wait()
	for {
		stream, err := session.AcceptStream(context.Background())
		if err != nil {
			return err
		}
		sending.Go(func() {
			name, err := readGet(stream)
			if err == nil {
				err = sendFile(stream, files, name)
			}
			if err != nil {
				log.Printf("bidirectional stream: %v", err)
				stream.CancelRead(noFile)
				stream.CancelWrite(noFile)
			}
		})
	}
}

func answerUniStreams(session *webtransport.Session, files *os.Root) {
	var sending sync.WaitGroup
	defer sending.Wait()
	for {
		request, err := session.AcceptUniStream(context.Background())
		if err != nil {
			return
		}
		sending.Go(func() {
			if err := pushFile(session, files, request); err != nil {
				log.Printf("unidirectional stream: %v", err)
			}
		})
	}
}

func pushFile(session *webtransport.Session, files *os.Root, request io.Reader) error {
	name, err := readGet(request)
	if err != nil {
		return err
	}
	stream, err := session.OpenUniStreamSync(session.Context())
	if err != nil {
		return err
	}
	out := bufio.NewWriter(stream)
	fmt.Fprintf(out, "%s%s\n", push, name)
	if err := sendFile(flushing{out, stream}, files, name); err != nil {
		stream.CancelWrite(noFile)
		return err
	}
	return nil
}

// flushing has the first bytes of a file share a packet with the line before them.
type flushing struct {
	*bufio.Writer
	stream io.Closer
}

func (f flushing) Close() error {
	if err := f.Flush(); err != nil {
		return err
	}
	return f.stream.Close()
}

// sendFile writes a whole file and ends the stream.
func sendFile(stream io.WriteCloser, files *os.Root, name string) error {
	file, err := files.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err := io.Copy(stream, file); err != nil {
		return err
	}
	return stream.Close()
}

func answerDatagrams(session *webtransport.Session, files *os.Root) {
	for {
		request, err := session.ReceiveDatagram(context.Background())
		if err != nil {
			return
		}
		if err := pushDatagram(session, files, request); err != nil {
			log.Printf("datagram %q: %v", request, err)
		}
	}
}

func pushDatagram(session *webtransport.Session, files *os.Root, request []byte) error {
	name, err := parseHead(get, request)
	if err != nil {
		return err
	}
	content, err := files.ReadFile(name)
	if err != nil {
		return err
	}
	return session.SendDatagram(append([]byte(push+name+"\n"), content...))
}
