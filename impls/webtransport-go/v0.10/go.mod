module interop/impls/webtransport-go/endpoint

go 1.26.0

toolchain go1.26.8

require (
	github.com/quic-go/quic-go v0.59.1
	github.com/quic-go/webtransport-go v0.10.0
	golang.org/x/sync v0.22.0
)

require (
	github.com/dunglas/httpsfv v1.1.0 // indirect
	github.com/quic-go/qpack v0.6.0 // indirect
	golang.org/x/crypto v0.41.0 // indirect
	golang.org/x/net v0.43.0 // indirect
	golang.org/x/sys v0.35.0 // indirect
	golang.org/x/text v0.28.0 // indirect
)
