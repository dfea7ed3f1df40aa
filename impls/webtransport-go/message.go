package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
)

// What is sent in a session is like HTTP/0.9: "GET name" asks for a file. Where the answer has no stream that says what
// it is an answer to, it is "PUSH name", a line feed and the content.

const (
	get  = "GET "
	push = "PUSH "
	// Names are short.
	maxHead = 4 << 10
)

func readGet(stream io.Reader) (string, error) {
	request, err := io.ReadAll(io.LimitReader(stream, maxHead))
	if err != nil {
		return "", err
	}
	return parseHead(get, request)
}

// readPush returns the name of the file whose content is still to be read.
func readPush(stream *bufio.Reader) (string, error) {
	head, err := stream.ReadSlice('\n')
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return "", fmt.Errorf("%q has no end: %w", head, err)
	}
	name, err := parseHead(push, head)
	return path.Base(name), err
}

// parsePush splits what a datagram carries.
func parsePush(datagram []byte) (name string, content []byte, err error) {
	head, content, ok := bytes.Cut(datagram, []byte("\n"))
	if !ok {
		return "", nil, fmt.Errorf("a datagram of %d bytes has no line feed", len(datagram))
	}
	name, err = parseHead(push, head)
	return path.Base(name), content, err
}

// parseHead returns the name that follows the verb. It cannot lead out of a folder.
func parseHead(verb string, head []byte) (string, error) {
	name, ok := strings.CutPrefix(string(head), verb)
	name = strings.TrimPrefix(strings.TrimRight(name, "\r\n"), "/")
	if !ok || name == "." || !fs.ValidPath(name) {
		return "", fmt.Errorf("%q is not %sand a name", head, verb)
	}
	return name, nil
}
