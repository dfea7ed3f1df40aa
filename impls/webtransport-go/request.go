package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"time"

	"github.com/quic-go/webtransport-go"
	"golang.org/x/sync/errgroup"
)

// requestFunc asks for all the files at once, and returns when they are complete in the folder.
type requestFunc func(session *webtransport.Session, names []string, folder *os.Root) error

// methods are the test cases in which we ask for files.
var methods = map[string]requestFunc{
	"transfer-unidirectional-receive": requestUnidirectional,
	"transfer-unidirectional-send":    requestUnidirectional,
	"transfer-bidirectional-receive":  requestBidirectional,
	"transfer-bidirectional-send":     requestBidirectional,
	"transfer-datagram-receive":       requestDatagrams,
	"transfer-datagram-send":          requestDatagrams,
}

func requestBidirectional(session *webtransport.Session, names []string, folder *os.Root) error {
	var files errgroup.Group
	for _, name := range names {
		files.Go(func() error {
			stream, err := session.OpenStreamSync(session.Context())
			if err != nil {
				return err
			}
			if err := sendGet(stream, name); err != nil {
				return err
			}
			return receiveFile(folder, name, stream)
		})
	}
	return files.Wait()
}

func requestUnidirectional(session *webtransport.Session, names []string, folder *os.Root) error {
	// The first failure ends the wait for streams that will not come.
	files, ctx := errgroup.WithContext(session.Context())
	for _, name := range names {
		files.Go(func() error {
			stream, err := session.OpenUniStreamSync(ctx)
			if err != nil {
				return err
			}
			return sendGet(stream, name)
		})
		files.Go(func() error {
			stream, err := session.AcceptUniStream(ctx)
			if err != nil {
				return err
			}
			content := bufio.NewReaderSize(stream, maxHead)
			name, err := readPush(content)
			if err != nil {
				return err
			}
			return receiveFile(folder, name, content)
		})
	}
	return files.Wait()
}

func sendGet(stream io.WriteCloser, name string) error {
	if _, err := io.WriteString(stream, get+name); err != nil {
		return err
	}
	return stream.Close()
}

// receiveFile writes all that is to be read.
func receiveFile(folder *os.Root, name string, content io.Reader) error {
	file, err := folder.Create(path.Base(name))
	if err != nil {
		return err
	}
	_, err = io.Copy(file, content)
	if err := errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

const (
	// Between two requests. An answer takes up to 0.9 ms at the contract's 10 Mbit/s, and queues hold 25 packets.
	datagramPause = 5 * time.Millisecond
	// Without an answer for this long, what is missing is asked for again: datagrams may be lost.
	datagramPatience = time.Second
	datagramRounds   = 10
)

func requestDatagrams(session *webtransport.Session, names []string, folder *os.Root) error {
	missing := make(map[string]bool, len(names))
	for _, name := range names {
		missing[path.Base(name)] = true
	}
	answers := make(chan []byte, len(names))
	failed := make(chan error, 1)
	go func() {
		for {
			datagram, err := session.ReceiveDatagram(session.Context())
			if err != nil {
				failed <- err
				return
			}
			answers <- datagram
		}
	}()

	pause := time.NewTicker(datagramPause)
	defer pause.Stop()
	unasked := names
	round := 1
	quiet := time.NewTimer(datagramPatience)
	for len(missing) > 0 {
		var next <-chan time.Time
		if len(unasked) > 0 {
			next = pause.C
		}
		select {
		case <-next:
			if err := session.SendDatagram([]byte(get + unasked[0])); err != nil {
				return err
			}
			unasked = unasked[1:]
			quiet.Reset(datagramPatience)
		case datagram := <-answers:
			name, content, err := parsePush(datagram)
			if err != nil {
				return err
			}
			// A file that was asked for twice may come twice.
			if missing[name] {
				if err := receiveFile(folder, name, bytes.NewReader(content)); err != nil {
					return err
				}
				delete(missing, name)
			}
			quiet.Reset(datagramPatience)
		case <-quiet.C:
			if round == datagramRounds {
				return fmt.Errorf("%d of %d files did not come, though asked for %d times", len(missing), len(names), round)
			}
			round++
			for name := range missing {
				unasked = append(unasked, name)
			}
			quiet.Reset(datagramPatience)
		case err := <-failed:
			return err
		}
	}
	return nil
}
