package main

import "github.com/quic-go/webtransport-go"

// The library renames what dials from version to version.
type dialer = webtransport.Dialer
